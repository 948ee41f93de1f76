"""The terms of use, where they changed since the person accepted them: asked between the sign-in and the session."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from idp.accounts import allauth as seam
from idp.accounts import people

from .continuation import Continuation, fields_of
from .pages import page


@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest) -> HttpResponseBase:
    """`/login/terms`: accept, or leave; only where a sign-in waits for it."""
    continuation = Continuation(request)
    stage = seam.pending(request, seam.TermsStage.key)
    if stage is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    if request.method != "POST":
        carried = fields_of(stage.login.redirect_url or "")
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")
        changed = bool(stage.login.user.terms_version)  # somebody who came by an outside login was never asked
        return page(request, "terms", continuation=continuation, terms_version=settings.IDP.terms_version, changed=changed)
    if "leave" in request.POST:
        seam.abandon(request)
        return HttpResponseRedirect(continuation.along("/login", switch="1"))
    with transaction.atomic():
        people.accept_terms(stage.login.user, settings.IDP.terms_version)
        return seam.go_on(request, stage, continue_to=continuation.url if continuation.fields else None, client_id=continuation.client_id)
