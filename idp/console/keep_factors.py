"""The link in the warning that somebody asked for one's second step to be removed: it calls that off, without any factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from idp.accounts import recovery
from idp.mfa import reset

from . import link_cookie

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

COOKIE = "keep_factors"


@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: HttpRequest) -> HttpResponse:
    """`/account/security/keep`: opening it changes nothing (EM-01). Whoever asked knew the password: a new one comes next."""
    response = link_cookie.moved(request, COOKIE)
    if response is not None:
        return response
    waiting = reset.with_token(link_cookie.held(request, COOKIE))
    if waiting is None:
        return render(request, "console/keep_factors.html", {"state": "gone"}, status=400)
    if request.method != "POST":
        return render(request, "console/keep_factors.html", {"state": "ask", "due": waiting.due_at})
    reset.call_off(waiting.user)
    if waiting.user.email and waiting.user.email_verified:
        recovery.request_link(waiting.user.email)
    return link_cookie.spent(render(request, "console/keep_factors.html", {"state": "done"}), COOKIE)
