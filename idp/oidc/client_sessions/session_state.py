"""`session_state` and the cookie behind it (OpenID Connect Session Management 1.0 2, 3, 4.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from idp.kernel.ids import secret_token


def cookie_name() -> str:
    """Readable by our own framed page, so never HttpOnly; it proves nothing and opens nothing."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_op_state"


def browser_state(sid: str) -> str:
    """What stands in the cookie while the session `sid` lasts."""
    return salted_hmac("idp.oidc.session_state", sid, algorithm="sha256").hexdigest()[:32]


def member(*, client_id: str, redirect_uri: str, sid: str) -> str:
    """3: a salted hash of client, origin and browser state."""
    parts = urlsplit(redirect_uri)
    salt = secret_token(12)
    text = f"{client_id} {parts.scheme}://{parts.netloc} {browser_state(sid)} {salt}"
    return f"{hashlib.sha256(text.encode()).hexdigest()}.{salt}"


def is_known(cookies: Mapping[str, str], sid: str) -> bool:
    """Whether the browser's cookie is already in step with the session."""
    return cookies.get(cookie_name()) == browser_state(sid)


def remember(request: HttpRequest, response: HttpResponse, sid: str) -> None:
    """Keep the cookie in step with the session; sent to framed pages of other sites, hence SameSite=None."""
    if not is_known(request.COOKIES, sid):
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(
            cookie_name(), browser_state(sid), secure=secure, httponly=False, samesite="None" if secure else "Lax", path="/"
        )


def forget(response: HttpResponse) -> None:
    """The session ended: framed pages see a change."""
    response.delete_cookie(cookie_name(), path="/", samesite="None" if settings.SESSION_COOKIE_SECURE else "Lax")
    response.cookies[cookie_name()]["secure"] = settings.SESSION_COOKIE_SECURE
