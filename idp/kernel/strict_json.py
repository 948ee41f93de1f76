"""JSON from strangers, read strictly: what passes here can be stored, compared and written again everywhere."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 16
# PostgreSQL stores neither NUL nor half a surrogate pair, and no encoder writes the latter.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def loads(text: str | bytes) -> Any:
    """The document. Raises ValueError for what is not JSON (RFC 8259), and for what only seems to be fine.

    Refused too: a member twice (RFC 8259 4: nobody knows which one counts), NaN and infinity by any spelling, characters that are
    none, and nesting beyond `MAX_DEPTH`.
    """
    try:
        document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_without_duplicates)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _check(document, 0)
    return document


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a member twice")
    return document


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)
    elif isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValueError("characters that are none")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is none")
