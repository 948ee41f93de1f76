"""The code after the password, and the code that an app asks for later: one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from idp.accounts.models import User
from idp.mfa import factors, stage, step_up, verification

from .continuation import Continuation, fields_of
from .forms import SecondFactorForm
from .pages import page, passkey_refusal, wait_words

if TYPE_CHECKING:
    from idp.mfa.stage import SecondFactorStage


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked; `stage` is empty for somebody who is signed in."""

    person: User
    stage: SecondFactorStage | None


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponseBase:
    """`/login/second-factor`: only where a sign-in waits for it, or an app's request (hostile case MF-05)."""
    continuation = Continuation(request)
    found = asked(request, continuation)
    if found is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    if request.method != "POST":
        carried = fields_of(found.stage.login.redirect_url or "") if found.stage is not None else []
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")  # from here on the page itself says where it leads
        return show(request, continuation, found, SecondFactorForm())
    form = SecondFactorForm(request.POST)
    if not form.is_valid():
        return show(request, continuation, found, form)
    verdict = verification.check(found.person, form.cleaned_data["code"], client_id=continuation.client_id)
    if verdict.factor is None:
        form.add_error("code", _refusal(verdict))
        response = show(request, continuation, found, form, status=429 if verdict.refusal == "wait" else 400)
        if verdict.refusal == "wait":
            response["Retry-After"] = str(verdict.retry_after)
        return response
    with transaction.atomic():
        if found.stage is not None:
            target = continuation.url if continuation.fields else None
            return stage.complete(request, found.stage, verdict.factor, continue_to=target, client_id=continuation.client_id)
        step_up.prove(request, found.person, verdict.factor, client_id=continuation.client_id)
    return HttpResponseRedirect(continuation.url)


def asked(request: HttpRequest, continuation: Continuation) -> Asked | None:
    """Who is asked for a second factor in this browser now, or None: then nobody is."""
    waiting = stage.pending(request)
    if waiting is not None:
        assert isinstance(waiting.login.user, User)
        return Asked(waiting.login.user, waiting)
    interaction, user = continuation.interaction, request.user
    if isinstance(user, User) and interaction is not None and interaction.ask == "second_factor":
        return Asked(User.objects.get(pk=user.pk), None)
    return None


def _refusal(verdict: verification.Verdict) -> str:
    if verdict.refusal == "wait":
        return _("Too many wrong codes. Try again in %(wait)s, or use a recovery code.") % {"wait": wait_words(verdict.retry_after)}
    if verdict.refusal == "disabled":
        return _("After too many wrong codes this way is switched off. Use another one.")
    if verdict.refusal == "malformed":
        return _("A code from your app has six digits, a recovery code ten letters and digits.")
    return _("This code is not right, or was used already. Wait for the next one.")


def show(
    request: HttpRequest, continuation: Continuation, asked: Asked, form: SecondFactorForm, *, passkey: str = "", status: int = 200
) -> HttpResponseBase:
    """The page; `passkey` is why one was refused (`idp.mfa.webauthn.refused.Why`)."""
    stepping_up = asked.stage is None
    keys = [key for key in factors.keys_of(asked.person) if key.disabled_at is None]
    has_apps, has_codes = bool(factors.of_person(asked.person)), bool(factors.codes_left(asked.person))
    # Where a code was entered already, another one adds nothing: what the app wants is a passkey.
    takes_codes = (has_apps or has_codes) and not (stepping_up and keys and step_up.has_two_factors(request))
    return page(
        request,
        "second_factor",
        continuation=continuation,
        form=form,
        stepping_up=stepping_up,
        has_keys=bool(keys),
        has_apps=has_apps,
        has_codes=has_codes,
        takes_codes=takes_codes,
        passkey_refusal=passkey_refusal(passkey),
        status=status,
    )
