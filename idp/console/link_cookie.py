"""The token of a mailed link leaves the address bar at its first hit (hostile case EM-16) and waits in a cookie of this browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponseRedirect

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

TOKEN = re.compile(r"[A-Za-z0-9_.:-]{1,200}", re.ASCII)
SECONDS = 3600


def moved(request: HttpRequest, name: str) -> HttpResponse | None:
    """The redirect that takes `token` out of the address; None when there is none in it."""
    token = request.GET.get("token")
    if token is None or request.method == "POST":
        return None
    response = HttpResponseRedirect(request.path)
    # Only what a token is made of: a cookie is no place for a stranger's bytes.
    shaped = token if TOKEN.fullmatch(token) else "-"
    response.set_cookie(cookie(name), shaped, max_age=SECONDS, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax")
    return response


def held(request: HttpRequest, name: str) -> str:
    """The token that waits in this browser."""
    value = request.COOKIES.get(cookie(name), "")
    return value if TOKEN.fullmatch(value) else ""


def spent(response: HttpResponse, name: str) -> HttpResponse:
    """It was used: the cookie goes."""
    response.delete_cookie(cookie(name), samesite="Lax")
    return response


def cookie(name: str) -> str:
    """`__Host-` prefixed when served over https."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_{name}"
