"""Turn a plan file of this folder into the configuration that the conformance suite expects."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BLOCKS = ("client", "client2", "client_secret_post")
DEFAULT_METHOD = "client_secret_basic"
METHODS = (DEFAULT_METHOD, "client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
RESPONSE_TYPES = ("code", "id_token", "id_token token", "code id_token", "code token", "code id_token token")
REGISTRATIONS = ("dynamic_client", "static_client")
PLACEHOLDER = re.compile(r"\{(issuer|suite|alias|login|password)\}")

Json = dict[str, Any]


class PlanError(Exception):
    """A plan file, or what it needs from the command line, is missing or wrong; the text is meant for the person at the terminal."""


@dataclass(frozen=True)
class Plan:
    """One run: the suite's name of the plan, its variant, and its complete configuration."""

    name: str
    variant: Json
    config: Json
    by_person: bool = False  # a real browser opens the pages, not the suite's scripted one
    needs_events: frozenset[str] = frozenset()  # modules that wait until something happens to an account


def names() -> list[str]:
    """Return the names that `load` accepts: one for each file in `plans/`."""
    return sorted(path.stem for path in (HERE / "plans").glob("*.json"))


def load(name: str, *, clients: Json, values: dict[str, str], variant: Json | None = None) -> Plan:
    """Read a plan file and complete it.

    `name` is the file's name without `.json`, or the suite's own name of the plan. `clients` is what `manage.py conformance prepare` printed:
    by configuration block of the suite (`client`, `client2`, `client_secret_post`), and below `kinds` by way of client authentication or logout;
    `values` replaces `{issuer}`, `{suite}`, `{alias}`, `{login}` and `{password}` wherever they stand in a text; `variant` replaces members of
    the plan's variant, for static clients bringing those in. Raises `PlanError` if the plan is unknown, a client or value is missing, or a
    step is not in `browser.json`.
    """
    source = _source(name)
    chosen: Json = source["variant"] | (variant or {})
    static = chosen.get("client_registration") == "static_client"
    config: Json = {key: value for key, value in source["config"].items() if not (static and key in BLOCKS)}
    method = chosen.get("client_auth_type", DEFAULT_METHOD)
    kind = source.get("static_clients", method)
    known = clients if kind == DEFAULT_METHOD else clients.get("kinds", {}).get(kind, {})
    for block in source["clients"] or (BLOCKS if static else ()):
        found = known.get(block) or clients.get(block)
        if not found:
            raise PlanError(
                f"the plan {name} needs the client {block}: run `manage.py conformance prepare --json`, or pass --clients with what it printed"
            )
        config[block] = found | config.get(block, {})
    if "browser" in source:
        config["browser"] = _browser(source["browser"])
    if "override" in source:
        config["override"] = {module: {"browser": _browser(visits)} for module, visits in source["override"].items()}
    return Plan(
        name=source["plan"],
        variant=chosen,
        config=_fill(config, values),
        by_person=bool(source.get("person")),
        needs_events=frozenset(source.get("needs_events", ())),
    )


def every() -> list[tuple[str, Json]]:
    """List the whole of what is to be shown: each plan file as it stands, the logout plans with static clients too, and the plan of every
    module in each combination of response type, way of client authentication and registration, and each response type by form_post.
    """
    runs: list[tuple[str, Json]] = [(name, {}) for name in names() if name != "everything"]
    runs += [(name, {"client_registration": "static_client"}) for name in names() if name.endswith(("-logout", "-management"))]
    runs += [
        ("everything", {"client_registration": registration, "client_auth_type": method, "response_type": response_type})
        for registration in REGISTRATIONS
        for method in METHODS
        for response_type in RESPONSE_TYPES
    ]
    runs += [
        ("everything", {"client_registration": registration, "response_mode": "form_post", "response_type": response_type})
        for registration in REGISTRATIONS
        for response_type in RESPONSE_TYPES
    ]
    return runs


def _source(name: str) -> Json:
    """Find a plan file by its own name or by the name that the suite has for the plan."""
    for own_name in names():
        source = _read(HERE / "plans" / f"{own_name}.json")
        if name in (own_name, source["plan"]):
            return source
    raise PlanError(f"no plan called {name}; there are: {', '.join(names())}")


def _read(path: Path) -> Json:
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def _browser(visits: list[str]) -> list[Json]:
    """Write out named visits of `browser.json` in the form of the suite's `browser` member."""
    known = _read(HERE / "browser.json")
    try:
        return [
            {"match": known["visits"][visit]["match"], "tasks": [known["steps"][step] for step in known["visits"][visit]["steps"]]}
            for visit in visits
        ]
    except KeyError as missing:
        raise PlanError(f"browser.json has no visit or step called {missing}") from None


def _fill(value: Any, values: dict[str, str]) -> Any:
    """Replace the placeholders in every text of a JSON value."""
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: _value(found[1], values), value)
    return value


def _value(name: str, values: dict[str, str]) -> str:
    if not values.get(name):
        raise PlanError(
            f"the plan needs a value for {name}: pass --{name}, or --clients with what `manage.py conformance prepare --json` printed"
        )
    return values[name]
