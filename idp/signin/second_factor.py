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
from .pages import page, wait_words

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
    asked = _asked(request, continuation)
    if asked is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    if request.method != "POST":
        carried = fields_of(asked.stage.login.redirect_url or "") if asked.stage is not None else []
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")  # from here on the page itself says where it leads
        return _show(request, continuation, asked, SecondFactorForm())
    form = SecondFactorForm(request.POST)
    if not form.is_valid():
        return _show(request, continuation, asked, form)
    verdict = verification.check(asked.person, form.cleaned_data["code"], client_id=continuation.client_id)
    if verdict.factor is None:
        form.add_error("code", _refusal(verdict))
        response = _show(request, continuation, asked, form, status=429 if verdict.refusal == "wait" else 400)
        if verdict.refusal == "wait":
            response["Retry-After"] = str(verdict.retry_after)
        return response
    with transaction.atomic():
        if asked.stage is not None:
            target = continuation.url if continuation.fields else None
            return stage.complete(request, asked.stage, verdict.factor, continue_to=target, client_id=continuation.client_id)
        step_up.prove(request, asked.person, verdict.factor, client_id=continuation.client_id)
    return HttpResponseRedirect(continuation.url)


def _asked(request: HttpRequest, continuation: Continuation) -> Asked | None:
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


def _show(request: HttpRequest, continuation: Continuation, asked: Asked, form: SecondFactorForm, *, status: int = 200) -> HttpResponseBase:
    return page(
        request,
        "second_factor",
        continuation=continuation,
        form=form,
        stepping_up=asked.stage is None,
        has_codes=bool(factors.codes_left(asked.person)),
        status=status,
    )
