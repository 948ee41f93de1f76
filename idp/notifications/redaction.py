"""What the delivery log keeps of a request and its answer: everything but secrets and personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "[hidden]"
PERSONAL = "[personal data]"
MOST_ANSWER = 500
SECRET_HEADERS = frozenset(("authorization", "webhook-signature", "cookie", "set-cookie", "proxy-authorization", "x-api-key"))
KEPT_MEMBERS = frozenset(("uid",))  # the `sub`: the record names the person anyway
_TOKEN = re.compile(r"\b[\w-]{16,}\.[\w-]{16,}\.[\w-]{8,}\b|\bwhsec_[\w+/=-]+|\bv1,[\w+/=]{20,}")
_MAIL = re.compile(r"[^\s\"'<>@,;:]+@[^\s\"'<>@,;:]+")


def headers(sent: Mapping[str, str]) -> dict[str, str]:
    """Names and values, those of credentials and signatures hidden."""
    return {name: HIDDEN if name.lower() in SECRET_HEADERS else value for name, value in sent.items()}


def body(text: str, *, personal: bool) -> str:
    """A JSON body; with `personal` every value in it is left out and the names stay. A token is hidden whole."""
    if not personal or not text:
        return _TOKEN.sub(HIDDEN, text)
    return json.dumps({name: value if name in KEPT_MEMBERS else PERSONAL for name, value in json.loads(text).items()})


def answer(raw: bytes, *, sent: str, personal: bool) -> str:
    """The beginning of what the other side said, without anything that we sent it and nobody may read here."""
    text = raw[: 4 * MOST_ANSWER].decode("utf-8", "replace").replace("\x00", "")
    if personal and sent:
        for value in sorted(set(_texts(json.loads(sent))), key=len, reverse=True):
            text = text.replace(value, PERSONAL)
    text = _MAIL.sub(PERSONAL, _TOKEN.sub(HIDDEN, text))
    return text[:MOST_ANSWER]


def _texts(value: Any, *, name: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if len(value) > 1 and name not in KEPT_MEMBERS:
            yield value
    elif isinstance(value, dict):
        for member, inner in value.items():
            yield from _texts(inner, name=member)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
