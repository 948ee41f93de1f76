"""Signing in with a passkey, and with one as the second step. The page's script asks the browser; what arrives here is a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from idp.accounts.allauth import sign_in_with_key
from idp.accounts.authentication import ip_key
from idp.interactions import browser
from idp.kernel import limits
from idp.mfa.webauthn import assertion, relying_party
from idp.mfa.webauthn.refused import Refused

from . import login, second_factor
from .continuation import Continuation
from .pages import throttled

if TYPE_CHECKING:
    from idp.mfa.webauthn.relying_party import Asked

TRIES, SECONDS = 60, 60  # answers from one address in a minute: each refused one is a row in the log


@never_cache
@require_POST
def options(request: HttpRequest) -> HttpResponseBase:
    """`/login/passkey/options`: what the script asks the browser; the same for everybody (hostile case WK-15)."""
    return as_json(request, assertion.begin_sign_in(browser=browser.ensure(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """`/login/passkey`: the browser's answer. Who it is comes out of the passkey alone."""
    continuation = Continuation(request)
    if request.method != "POST":
        return HttpResponseRedirect(continuation.along("/login"))
    wait = too_many(request, continuation)
    if wait is not None:
        return wait
    try:
        proved = assertion.sign_in(**answer_of(request), client_id=continuation.client_id)
    except Refused as refusal:
        return login.show(request, continuation, login.empty_form(request, continuation), passkey=refusal.why, status=400)
    user, facts = proved.key.user, {"device": proved.key.persistent_id, **proved.facts}
    with transaction.atomic():
        return sign_in_with_key(request, user, continue_to=continuation.url, client_id=continuation.client_id, **facts)


@never_cache
@require_POST
def second_factor_options(request: HttpRequest) -> HttpResponseBase:
    """`/login/second-factor/passkey/options`: only where a second factor is asked for, and only this person's keys."""
    asked = second_factor.asked(request, Continuation(request))
    ceremony = assertion.begin_second_factor(asked.person, browser=browser.ensure(request)) if asked is not None else None
    return as_json(request, ceremony) if ceremony is not None else JsonResponse({}, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
def as_second_factor(request: HttpRequest) -> HttpResponseBase:
    """`/login/second-factor/passkey`: instead of a code."""
    continuation = Continuation(request)
    asked = second_factor.asked(request, continuation)
    if asked is None or asked.by_mail or request.method != "POST":
        return HttpResponseRedirect(continuation.along("/login/second-factor"))
    wait = too_many(request, continuation)
    if wait is not None:
        return wait
    try:
        proved = assertion.second_factor(asked.person, **answer_of(request), client_id=continuation.client_id)
    except Refused as refusal:
        return second_factor.show(request, continuation, asked, second_factor.SecondFactorForm(), passkey=refusal.why, status=400)
    with transaction.atomic():
        return second_factor.proved(request, continuation, asked, proved.key, **proved.facts)


@require_safe
def related_origins(_request: HttpRequest) -> HttpResponseBase:
    """`/.well-known/webauthn`: pages elsewhere that may use the same passkeys (WebAuthn L3 5.11.1)."""
    if not settings.IDP.passkey_origins:
        raise Http404
    return JsonResponse({"origins": sorted(relying_party.origins())})


@require_safe
def endpoints(_request: HttpRequest) -> HttpResponseBase:
    """`/.well-known/passkey-endpoints`: where password managers lead people to add or manage a passkey (W3C passkey endpoints)."""
    here = settings.IDP.issuer
    return JsonResponse({"enroll": f"{here}/account/security/passkey", "manage": f"{here}/account/security"})


def as_json(request: HttpRequest, asked: Asked) -> JsonResponse:
    """What the script hands to the browser, and what it sends back to us unseen."""
    response = JsonResponse({"options": asked.options, "state": asked.state})
    browser.remember(request, response)
    return response


class Answer(TypedDict):
    """The browser's answer to a ceremony."""

    state: str
    answer: str
    browser: bytes | None


def answer_of(request: HttpRequest) -> Answer:
    """What the script put into the form, and the browser that it came from."""
    return {"state": request.POST.get("state", ""), "answer": request.POST.get("answer", ""), "browser": browser.known(request)}


def too_many(request: HttpRequest, continuation: Continuation) -> HttpResponseBase | None:
    """The answer to somebody who tries all the time."""
    verdict = limits.hit("signin.passkey.ip", ip_key(), limit=TRIES, seconds=SECONDS)
    return None if verdict.allowed else throttled(request, continuation=continuation, retry_after=verdict.retry_after)
