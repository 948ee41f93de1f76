"""The consent screen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from idp import sessions
from idp.accounts.claims import standard_claims
from idp.interactions import paused

from . import agreement, wording


@require_http_methods(["GET", "HEAD", "POST"])
def consent(request: HttpRequest) -> HttpResponse:
    """Show who asks and for what; take the answer. What counts is what the server stored, never what the form sends back."""
    interaction_id = paused.requested_id(request)
    resume = f"/authorize/resume?interaction={interaction_id}" if _plain(interaction_id) else "/account"
    interaction = paused.load(request)
    session = sessions.current(request)
    if interaction is None or session is None or interaction.ask != "consent" or "wish" not in interaction.outcomes:
        return HttpResponseRedirect(resume)  # the dispatcher knows what comes next
    wish = _wish(interaction.outcomes["wish"])
    if request.method == "POST":
        if interaction.outcomes.get("wish_of") != str(session.person.pk):
            return HttpResponseRedirect(resume)
        if request.POST.get("decision") == "allow":
            client_id = str(interaction.parameters["client_id"])
            agreement.give(user=session.person, client_id=client_id, client_name=interaction.client.name, wish=wish)
            interaction.record(consented=str(session.person.pk))
        else:
            agreement.deny(user=session.person, client_id=str(interaction.parameters["client_id"]), scopes=wish.scopes)
            interaction.record(denied=str(session.person.pk))
        return HttpResponseRedirect(interaction.resume_url, status=303)
    return render(
        request,
        "consent/consent.html",
        {
            "interaction": interaction,
            "items": wording.items(scopes=wish.scopes, claims=wish.claims, resources=wish.resources, about=standard_claims(session.person)),
            "person": str(session.person),
            "destination": urlsplit(str(interaction.parameters.get("redirect_uri", ""))).hostname or "",
            "account_switch_url": f"/login?interaction={interaction.id}&switch=1",
        },
    )


def _plain(text: str) -> bool:
    return bool(text) and text.replace("-", "").replace("_", "").isalnum() and text.isascii()


def _wish(stored: dict[str, Any]) -> agreement.Wish:
    return agreement.Wish(frozenset(stored["scopes"]), frozenset(stored["claims"]), frozenset(stored["resources"]))
