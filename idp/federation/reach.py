"""Every request to an upstream, within one time limit for all of a person's step: nobody waits longer for a page (hostile case GL-13)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from idp.kernel import outbound, strict_json

SECONDS = 4.5
MAX_BYTES = 128 * 1024

_ends: ContextVar[float | None] = ContextVar("federation_deadline", default=None)


class Unreachable(Exception):
    """The upstream did not answer, not in time, or not as its specification says. The text is for logs only."""


@contextmanager
def in_time(seconds: float | None = None) -> Iterator[None]:
    """All requests inside share this many seconds, SECONDS unless told."""
    token = _ends.set(time.monotonic() + (SECONDS if seconds is None else seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def fetch(url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, content: bytes | None = None) -> outbound.Response:
    """One request, safe against forgery (kernel.outbound): no redirects, bounded size, the time that is left. Raises Unreachable."""
    ends = _ends.get()
    left = SECONDS if ends is None else ends - time.monotonic()
    if left <= 0:
        raise Unreachable("no time left")
    try:
        return outbound.fetch(url, method=method, headers=headers, content=content, max_bytes=MAX_BYTES, seconds=left)
    except outbound.OutboundError as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from None


def json_object(answer: outbound.Response) -> dict[str, Any]:
    """The JSON object that a 200 holds. Raises Unreachable."""
    if answer.status != 200:
        raise Unreachable(f"status {answer.status}")
    try:
        found = strict_json.loads(answer.body)
    except ValueError:
        raise Unreachable("not JSON") from None
    if not isinstance(found, dict):
        raise Unreachable("not a JSON object")
    return found
