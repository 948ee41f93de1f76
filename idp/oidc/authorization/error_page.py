"""Refusals as a page for people, with a folded part for the app's developers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from idp.kernel.clock import now
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol.errors import OAuthError

from .dispatch import card


def show(request: HttpRequest, error: OAuthError, *, reference: str, client: ClientPolicy | None = None, onward: str = "") -> HttpResponse:
    """What happened, that nothing was shared, what to do, the reference. Never repeats what the caller sent.

    `onward` is the error's way to the app, for a person to follow; without it, the app's home page is shown if it has one.
    """
    refusal = error.refusal
    # "Back to the app" only where a registered address exists, and only a place that we know: its home page.
    back = {"label": _("Back to %(app)s") % {"app": client.name}, "url": client.client_uri} if client and client.client_uri else None
    if client and onward:
        back = {"label": _("Go on to %(domain)s") % {"domain": client.domain}, "url": onward}
    response = render(
        request,
        "oidc/error.html",
        {
            "client": card(client) if client else None,
            "title": _("This sign-in cannot go on"),
            "what": f"{_(refusal.page or refusal.description)} {_('Nothing was shared.')}",
            "remedy": _("Go back to the app and try again. If it happens again, send its makers the reference below."),
            "reference": reference,
            "time": now(),
            "developer": {
                "code": refusal.code,
                "error": refusal.error,
                "clause": refusal.clause,
                "description": refusal.description,
                "fix": refusal.fix,
            },
            "back": back,
        },
        status=refusal.status if refusal.status != 401 else 400,
    )
    response.headers["Cache-Control"] = "no-store"
    for name, value in error.headers.items():
        response.headers[name] = value
    return response
