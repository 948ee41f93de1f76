"""One request in, one answer out: the little of HTTP that protocol endpoints need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse

from idp.kernel import context

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class HttpIn:
    """What an endpoint may know of a request."""

    method: str
    query: str
    content_type: str
    body: bytes
    authorization: str | None
    origin: str | None
    if_none_match: str | None
    ip: str
    cookies: str = ""

    @classmethod
    def of_django(cls, request: HttpRequest) -> HttpIn:
        """From Django's request. Raises RequestDataTooBig when the body passes the limit."""
        meta = request.META
        return cls(
            method=request.method or "",
            query=meta.get("QUERY_STRING", ""),
            content_type=meta.get("CONTENT_TYPE", ""),
            body=request.body,
            authorization=meta.get("HTTP_AUTHORIZATION"),
            origin=meta.get("HTTP_ORIGIN"),
            if_none_match=meta.get("HTTP_IF_NONE_MATCH"),
            ip=context.current().ip,
        )


@dataclass(slots=True)
class HttpOut:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def as_django(self) -> HttpResponse:
        """For Django's middleware."""
        response = HttpResponse(self.body, status=self.status)
        del response.headers["Content-Type"]
        for name, value in self.headers.items():
            response.headers[name] = value
        return response


def json_answer(document: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpOut:
    """A JSON answer that nobody may keep (RFC 6749 5.1)."""
    body = _encode(document).encode()
    return HttpOut(status, body, {"Content-Type": "application/json", **NO_STORE, **(headers or {})})
