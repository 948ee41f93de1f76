"""The thin door: hot requests are answered before Django's handler and middleware.

The same functions as behind Django's views decide; what middleware would do for them (request id, access line, security
headers, returning the database connection) is done here by the same functions of the kernel. Everything else goes on to Django.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db import close_old_connections as drop_broken_connections

from idp.kernel import context, db, logs
from idp.kernel.middleware import SECURITY_HEADERS
from idp.oidc.authorization import at_once
from idp.oidc.border.form import MAX_BODY
from idp.oidc.border.http import HttpIn, HttpOut, json_answer
from idp.oidc.border.safely import respond_safely
from idp.oidc.discovery import endpoint as discovery
from idp.oidc.introspection import endpoint as introspection
from idp.oidc.revocation import endpoint as revocation
from idp.oidc.token import endpoint as token
from idp.oidc.userinfo import endpoint as userinfo

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HOT: dict[str, Callable[[HttpIn], HttpOut]] = {
    "/token": token.respond,
    "/userinfo": userinfo.respond,
    "/introspect": introspection.respond,
    "/revoke": revocation.respond,
    "/jwks": discovery.jwks,
    "/.well-known/openid-configuration": discovery.openid_configuration,
    "/.well-known/oauth-authorization-server": discovery.authorization_server,
}
# By GET only. None: nothing happened, and Django answers.
AT_ONCE: dict[str, Callable[[HttpIn], HttpOut | None]] = {"/authorize": at_once.respond}
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_log = logging.getLogger(__name__)


def door(application: Application) -> Application:
    """Wrap Django's WSGI application."""
    hosts = {host.lower() for host in settings.ALLOWED_HOSTS}
    always = list(SECURITY_HEADERS.items())
    if settings.SECURE_HSTS_SECONDS:
        always.append(("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"))

    # What Django's middleware says to a browser on its way; of the policy, what an answer without content can need.
    way = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
    way["Cross-Origin-Opener-Policy"] = settings.SECURE_CROSS_ORIGIN_OPENER_POLICY

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        respond = HOT.get(path)
        attempt = AT_ONCE.get(path) if respond is None and method == "GET" else None
        if (respond is None and attempt is None) or _host(environ) not in hosts:
            return application(environ, start_response)
        started = time.perf_counter()
        here = context.from_environ(environ)
        entered = context.enter(here)
        try:
            answer = _answer(respond, environ, here.ip) if respond is not None else _attempt(attempt, environ, here.ip)
            db.give_back()
        finally:
            context.leave(entered)
        if answer is None:
            return application(environ, start_response)
        headers = answer.headers
        if attempt is not None:
            headers.update(way)
        for name, value in always:
            headers.setdefault(name, value)
        headers["X-Request-ID"] = here.request_id
        headers["Content-Length"] = str(len(answer.body))
        start_response(_STATUS[answer.status], list(headers.items()))
        logs.access(here, method=method, path=path, status=answer.status, seconds=time.perf_counter() - started)
        return [] if method == "HEAD" else [answer.body]

    return serve


def _host(environ: dict[str, Any]) -> str:
    host: str = environ.get("HTTP_HOST", "")
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _answer(respond: Callable[[HttpIn], HttpOut], environ: dict[str, Any], ip: str) -> HttpOut:
    body = b""
    if environ["REQUEST_METHOD"] == "POST":
        # One byte more than is ever accepted: the form parser then says 413, and nothing longer is held in memory (hostile case PX-06).
        body = environ["wsgi.input"].read(MAX_BODY + 1)
    try:
        return respond_safely(respond, _read(environ, body, ip))
    except Exception:  # noqa: BLE001 - the outermost layer: logged, and answered like Django's handler would
        _log.exception("unforeseen")
        return json_answer({"error": "server_error", "error_description": "Something went wrong on our side."}, status=500)


def _attempt(respond: Callable[[HttpIn], HttpOut | None] | None, environ: dict[str, Any], ip: str) -> HttpOut | None:
    assert respond is not None
    try:
        return respond(_read(environ, b"", ip))
    except (OperationalError, InterfaceError):
        drop_broken_connections()  # Django's view meets the same trouble, and has a page for it
    except Exception:  # noqa: BLE001 - as above
        _log.exception("unforeseen")
    return None


def _read(environ: dict[str, Any], body: bytes, ip: str) -> HttpIn:
    return HttpIn(
        method=environ["REQUEST_METHOD"],
        query=environ.get("QUERY_STRING", ""),
        content_type=environ.get("CONTENT_TYPE", ""),
        body=body,
        authorization=environ.get("HTTP_AUTHORIZATION"),
        origin=environ.get("HTTP_ORIGIN"),
        if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
        ip=ip,
        cookies=environ.get("HTTP_COOKIE", ""),
    )
