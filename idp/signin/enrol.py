"""A second step is set up in the middle of a sign-in, or of an app's request, because the policy wants one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from idp import sessions
from idp.accounts import allauth as seam
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import EnrolmentPostponed
from idp.mfa import enrolment, factors, policy, qr, sending, stage, step_up
from idp.mfa.models import SentCode

from .continuation import Continuation, fields_of
from .forms import CodeForm
from .pages import page, passkey_refusal, wait_words

if TYPE_CHECKING:
    from idp.mfa.models import Phone, TotpDevice, WebAuthnKey
    from idp.mfa.stage import EnrolStage


@dataclass(frozen=True, slots=True)
class Asked:
    """Who must set something up; `stage` is empty for somebody who is signed in. `must`: an app wants it, so it cannot wait.

    `wanted`: the acr for which they have nothing yet.
    """

    person: User
    stage: EnrolStage | None
    wanted: str
    must: bool = False

    @property
    def days(self) -> int:
        """For how many days it may be put off."""
        return 0 if self.must else policy.days_left(self.person)


@sensitive_variables("offered")
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest) -> HttpResponseBase:
    """`/login/enrol`: only where a sign-in waits for it, or an app's request."""
    continuation = Continuation(request)
    found = asked(request, continuation)
    if found is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    decision = request.POST.get("decision", "")
    if request.method == "POST" and decision == "continue" and not policy.lacks(found.person, found.wanted):
        return _go_on(request, continuation, found)
    if not may_add(request, found):
        return prove_first(request, continuation, found)
    if request.method == "POST" and decision == "later" and found.days:
        return _later(request, continuation, found)
    if request.method != "POST" or decision or not policy.app_does(found.person, found.wanted):
        carried = fields_of(found.stage.login.redirect_url or "") if found.stage is not None else []
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")
        return show(request, continuation, found, CodeForm())
    return _add(request, continuation, found)


def _add(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    form = CodeForm(request.POST)
    offered = enrolment.waiting(request, asked.person)
    if offered is None or not form.is_valid():
        return show(request, continuation, asked, form)
    outcome = enrolment.confirm(request, asked.person, offered, typed=form.cleaned_data["code"], name=_("Phone"))
    if outcome.device is not None:
        with transaction.atomic():
            return added(request, continuation, asked, outcome.device)
    if outcome.retry_after:
        form.add_error("code", _("Too many wrong codes. Try again in %(wait)s.") % {"wait": wait_words(outcome.retry_after)})
        response = show(request, continuation, asked, form, status=429)
        response["Retry-After"] = str(outcome.retry_after)
        return response
    form.add_error("code", _("This code is not right. Check that the clock of your phone is right, and enter the code that it shows now."))
    return show(request, continuation, asked, form)


def added(
    request: HttpRequest, continuation: Continuation, asked: Asked, device: TotpDevice | WebAuthnKey | Phone, **facts: bool
) -> HttpResponseBase:
    """The proof is kept, and recovery codes are shown before anything else, where there are none."""
    if asked.stage is not None:
        seam.record(request, asked.person, device.kind, device=device.persistent_id, **facts)
    else:
        step_up.prove(request, asked.person, device, client_id=continuation.client_id, **facts)
    policy.done(asked.person)
    if factors.codes_left(asked.person):
        return _go_on(request, continuation, asked)
    codes = factors.make_codes(asked.person, request=request)
    name = sending.hint(device) if isinstance(device, SentCode) else device.name
    return page(request, "enrolled", continuation=continuation, codes=codes, added=name)


def _go_on(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    """The codes are kept; what waited goes on, if it was set up in this very sign-in."""
    if asked.stage is None:
        return HttpResponseRedirect(continuation.url)
    if not policy.reaches(sessions.proved(request, asked.person).acr, asked.wanted):
        return prove_first(request, continuation, asked)
    with transaction.atomic():
        target = continuation.url if continuation.fields else None
        return seam.go_on(request, asked.stage, continue_to=target, client_id=continuation.client_id)


def prove_first(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    """Where whoever may not add anything yet (`may_add`) goes."""
    if asked.stage is not None:
        seam.abandon(request)  # something was set up elsewhere meanwhile: it is proved like any other
        return HttpResponseRedirect(continuation.along("/login"))
    assert continuation.interaction is not None
    continuation.interaction.now_asks("login", reauthenticate=True)
    return HttpResponseRedirect(continuation.interaction.page_url())


def _later(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    with transaction.atomic():
        emit(EnrolmentPostponed(days=asked.days), person=asked.person.pk)
        if asked.stage is not None:
            target = continuation.url if continuation.fields else None
            return seam.go_on(request, asked.stage, continue_to=target, client_id=continuation.client_id)
        assert continuation.interaction is not None
        continuation.interaction.record(postponed=str(asked.person.pk))
    return HttpResponseRedirect(continuation.url)


def may_add(request: HttpRequest, asked: Asked) -> bool:
    """Hostile cases MF-07, BR-06: not where there is a factor already which was not proved, nor in a session that was left open."""
    if asked.stage is None:
        return step_up.is_fresh(request, asked.person)
    return not factors.required(asked.person) or step_up.is_enough(asked.person, sessions.proved(request, asked.person).acr)


def asked(request: HttpRequest, continuation: Continuation) -> Asked | None:
    """Who must set something up in this browser now, or None: then nobody must."""
    waiting = stage.pending_enrolment(request)
    if waiting is not None:
        return Asked(waiting.person, waiting, policy.of_person(waiting.person.pk).acr)
    interaction, user = continuation.interaction, request.user
    if isinstance(user, User) and interaction is not None and interaction.ask == "enrol":
        wanted = str(interaction.outcomes.get("enrolment_acr", ""))
        return Asked(User.objects.get(pk=user.pk), None, wanted, must=interaction.outcomes.get("enrolment") != "may_wait")
    return None


def show(
    request: HttpRequest, continuation: Continuation, asked: Asked, form: CodeForm, *, passkey: str = "", status: int = 200
) -> HttpResponseBase:
    """The page; `passkey` is why one was refused (`idp.mfa.webauthn.refused.Why`)."""
    possible, app_does = policy.can_be_set_up(asked.wanted), policy.app_does(asked.person, asked.wanted)
    offered = enrolment.offered(request, asked.person) if app_does else None
    return page(
        request,
        "enrol",
        continuation=continuation,
        form=form,
        possible=possible,
        app_does=app_does,
        phone_url=continuation.along("/login/enrol/phone") if app_does and sending.by_sms() else "",
        passkey_refusal=passkey_refusal(passkey),
        days=asked.days,
        drawing=qr.svg(offered.uri) if offered is not None else "",
        manual_key=offered.manual_key if offered is not None else "",
        uri=offered.uri if offered is not None else "",
        status=status,
    )
