"""The `claims` parameter (OIDC Core 5.5)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_CHARACTERS, MAX_CLAIMS, MAX_DEPTH = 8192, 100, 4
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Malformed(Exception):
    """The parameter is not what OIDC Core 5.5 describes."""


def parse(text: str) -> dict[str, dict[str, Any]]:
    """`{"userinfo": {...}, "id_token": {...}}` with unknown members dropped. Raises Malformed."""
    if len(text) > MAX_CHARACTERS:
        raise Malformed("too long")
    try:
        document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
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
    kept = {key: options[key] for key in ("essential", "value", "values") if key in options}
    _check_value(kept, depth=0)
    return kept


def _check_value(value: Any, *, depth: int) -> None:
    # What is kept goes into a JSON column: PostgreSQL stores neither NUL nor half a surrogate pair, and JSON has no infinity.
    if depth > MAX_DEPTH:
        raise Malformed("nested too deeply")
    if isinstance(value, dict):
        for name, member in value.items():
            _check_value(name, depth=depth + 1)
            _check_value(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check_value(member, depth=depth + 1)
    elif isinstance(value, str) and _UNSTORABLE.search(value):
        raise Malformed("a text holds characters that are none")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Malformed("a number is too large")


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate member")
    return document


def acceptable(options: dict[str, Any] | None, value: Any) -> bool:
    """Whether `value` is one that the request wants (5.5.1): no `value`/`values` accepts all."""
    if not options:
        return True
    if "value" in options and value != options["value"]:
        return False
    return "values" not in options or value in options["values"]
