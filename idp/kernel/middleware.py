"""The outermost layers: request context with access line, and headers that every answer carries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from . import context, logs

Handler = Callable[[HttpRequest], HttpResponseBase]

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)",
    # Not "no-referrer": browsers then send "Origin: null" with our own forms, and the check against forgery refuses them (Fetch 3.2.1).
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RequestContextMiddleware:
    """Request id in and out, access line, client address, scheme, user agent (`kernel.context`)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        here = context.from_environ(request.META)
        context.settle(request.META, here)
        started = time.perf_counter()
        token = context.enter(here)
        try:
            response = self.get_response(request)
        finally:
            context.leave(token)
        response.headers["X-Request-ID"] = here.request_id
        logs.access(
            here, method=request.method or "", path=request.path, status=response.status_code, seconds=time.perf_counter() - started
        )
        return response


class SecurityHeadersMiddleware:
    """Sets `SECURITY_HEADERS` where the view did not decide otherwise (RFC 6749 5.1, ASVS 3.4, 14.3.2)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if getattr(response, "frameable", False):  # one page is made to be framed; its Content-Security-Policy says by whom
            del response.headers["X-Frame-Options"]
        return response
