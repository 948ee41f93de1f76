"""A passkey is added in the middle of something: offered after a password, or because the policy wants a second step."""

from __future__ import annotations

from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import allauth as seam
from idp.accounts import ways_in
from idp.accounts.models import User
from idp.interactions import browser
from idp.mfa import factors, step_up
from idp.mfa.webauthn import offer, registration
from idp.mfa.webauthn.assertion import Proved
from idp.mfa.webauthn.refused import Refused

from . import enrol
from .continuation import Continuation, fields_of
from .forms import CodeForm
from .pages import page, passkey_refusal
from .passkeys import answer_of, as_json, too_many

CAPABLE = "passkeys"  # the field that the script sets where the device could hold one
OFFER = "/login/passkey-offer"


class OfferStage(seam.Stage):
    """The last stage: it holds nobody up, it only lets the way lead past the offer."""

    key = "passkey_offer"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        leads_there = (self.login.redirect_url or "").startswith("/account/security")
        if not leads_there and self.request.POST.get(CAPABLE) == "1" and offer.is_due(user, seam.recorded(self.request, user)):
            carried = urlencode(fields_of(self.login.redirect_url or ""))
            self.login.redirect_url = f"{OFFER}?{carried}" if carried else OFFER
        return None, True


@require_http_methods(["GET", "HEAD", "POST"])
def offered(request: HttpRequest) -> HttpResponseBase:
    """`/login/passkey-offer`: add one now, or go on without."""
    user = request.user
    if not isinstance(user, User) or not step_up.is_fresh(request, user) or not offer.is_due(user, seam.recorded(request, user)):
        return HttpResponseRedirect(Continuation(request).url)
    return _add(request, user, template="passkey_offer")


@require_http_methods(["GET", "HEAD", "POST"])
def signed_up(request: HttpRequest) -> HttpResponseBase:
    """`/signup/passkey`: the first way in of somebody who chose no password."""
    user = request.user
    if not isinstance(user, User) or not step_up.is_fresh(request, user) or ways_in.count(user):
        return HttpResponseRedirect(Continuation(request).url)
    return _add(request, user, template="signup_passkey")


def _add(request: HttpRequest, user: User, *, template: str) -> HttpResponseBase:
    """Show the page, or take what its form brings: the answer of the browser, or "not now"."""
    continuation = Continuation(request)
    if request.method != "POST":
        return page(request, template, continuation=continuation)
    if request.POST.get("decision") == "later":
        offer.put_off(user)
        return HttpResponseRedirect(continuation.url)
    wait = too_many(request, continuation)
    if wait is not None:
        return wait
    try:
        key = registration.complete(user, kind="passkey", **answer_of(request))
    except Refused as refusal:
        return page(request, template, continuation=continuation, refusal=passkey_refusal(refusal.why), status=400)
    with transaction.atomic():
        step_up.prove(request, user, key, client_id=continuation.client_id, **Proved(key, key.verified).facts)
        if factors.codes_left(user):
            return HttpResponseRedirect(continuation.url)
        return page(request, "enrolled", continuation=continuation, codes=factors.make_codes(user, request=request), added=key.name)


@never_cache
@require_POST
def enrol_options(request: HttpRequest) -> HttpResponseBase:
    """`/login/enrol/passkey/options`: only where a second step must be set up."""
    asked = enrol.asked(request, Continuation(request))
    if asked is None or not enrol.may_add(request, asked):
        return JsonResponse({}, status=400)
    return as_json(request, registration.begin(asked.person, kind="passkey", browser=browser.ensure(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def enrolled(request: HttpRequest) -> HttpResponseBase:
    """`/login/enrol/passkey`: a passkey instead of an authenticator app."""
    continuation = Continuation(request)
    asked = enrol.asked(request, continuation)
    if asked is None or request.method != "POST" or not enrol.may_add(request, asked):
        return HttpResponseRedirect(continuation.along("/login/enrol"))
    wait = too_many(request, continuation)
    if wait is not None:
        return wait
    try:
        key = registration.complete(asked.person, kind="passkey", **answer_of(request))
    except Refused as refusal:
        return enrol.show(request, continuation, asked, CodeForm(), passkey=refusal.why, status=400)
    with transaction.atomic():
        return enrol.added(request, continuation, asked, key, **Proved(key, key.verified).facts)
