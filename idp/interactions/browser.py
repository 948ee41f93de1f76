"""The cookie that binds paused requests to one browser (RFC 9700 4.7)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from idp.kernel.ids import digest, secret_token

_ATTRIBUTE = "_kairos_new_browser"


def cookie_name() -> str:
    """`__Host-` prefixed when served over https."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_browser"


def known(request: HttpRequest) -> bytes | None:
    """The digest that identifies this browser, or None if it brought no cookie."""
    value = request.COOKIES.get(cookie_name(), "")
    return digest(value) if 40 <= len(value) <= 64 else None


def ensure(request: HttpRequest) -> bytes:
    """Like `known`, but makes an identity if there is none; `remember` must then be called on the answer."""
    existing = known(request)
    if existing is not None:
        return existing
    fresh: str = getattr(request, _ATTRIBUTE, "") or secret_token(32)
    setattr(request, _ATTRIBUTE, fresh)
    return digest(fresh)


def remember(request: HttpRequest, response: HttpResponse) -> None:
    """Set the cookie that `ensure` made, if it made one."""
    fresh: str = getattr(request, _ATTRIBUTE, "")
    if fresh:
        response.set_cookie(
            cookie_name(), fresh, max_age=30 * 86400, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax", path="/"
        )
