"""The `claims` parameter (OIDC Core 5.5)."""

from __future__ import annotations

from typing import Any

from idp.kernel import strict_json

MAX_CHARACTERS, MAX_CLAIMS = 8192, 100


class Malformed(Exception):
    """The parameter is not what OIDC Core 5.5 describes."""


def parse(text: str) -> dict[str, dict[str, Any]]:
    """`{"userinfo": {...}, "id_token": {...}}` with unknown members dropped. Raises Malformed."""
    if len(text) > MAX_CHARACTERS:
        raise Malformed("too long")
    try:
        document = strict_json.loads(text)
    except ValueError as error:
        raise Malformed("not JSON") from error
    if not isinstance(document, dict):
        raise Malformed("not an object")
    return {target: _target(document[target]) for target in ("userinfo", "id_token") if document.get(target) is not None}


def _target(wanted: Any) -> dict[str, Any]:
    if not isinstance(wanted, dict) or len(wanted) > MAX_CLAIMS:
        raise Malformed("a target is not an object of reasonable size")
    return {name: _one(options) for name, options in wanted.items()}


def _one(options: Any) -> dict[str, Any] | None:
    if options is None:
        return None
    if not isinstance(options, dict):
        raise Malformed("a claim is neither null nor an object")
    if not isinstance(options.get("essential", False), bool):
        raise Malformed("essential is not true or false")
    if "values" in options and not isinstance(options["values"], list):
        raise Malformed("values is not an array")
    return {key: options[key] for key in ("essential", "value", "values") if key in options}


def acceptable(options: dict[str, Any] | None, value: Any) -> bool:
    """Whether `value` is one that the request wants (5.5.1): no `value`/`values` accepts all."""
    if not options:
        return True
    if "value" in options and value != options["value"]:
        return False
    return "values" not in options or value in options["values"]
