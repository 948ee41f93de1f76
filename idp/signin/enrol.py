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
from idp.mfa import enrolment, factors, policy, qr, stage, step_up

from .continuation import Continuation, fields_of
from .forms import CodeForm
from .pages import page, wait_words

if TYPE_CHECKING:
    from idp.mfa.models import TotpDevice
    from idp.mfa.stage import EnrolStage


@dataclass(frozen=True, slots=True)
class Asked:
    """Who must set something up; `stage` is empty for somebody who is signed in. `must`: an app wants it, so it cannot wait."""

    person: User
    stage: EnrolStage | None
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
    asked = _asked(request, continuation)
    if asked is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    decision = request.POST.get("decision", "")
    if request.method == "POST" and decision == "continue" and factors.required(asked.person):
        return _go_on(request, continuation, asked)
    if asked.stage is None and not step_up.is_fresh(request, asked.person):
        # Hostile case BR-06: who found an open browser must not add a factor of their own.
        assert continuation.interaction is not None
        continuation.interaction.now_asks("login", reauthenticate=True)
        return HttpResponseRedirect(continuation.interaction.page_url())
    if request.method == "POST" and decision == "later" and asked.days:
        return _later(request, continuation, asked)
    if request.method != "POST" or decision:
        carried = fields_of(asked.stage.login.redirect_url or "") if asked.stage is not None else []
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")
        return _show(request, continuation, asked, CodeForm())
    return _add(request, continuation, asked)


def _add(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    form = CodeForm(request.POST)
    offered = enrolment.waiting(request, asked.person)
    if offered is None or not form.is_valid():
        return _show(request, continuation, asked, form)
    outcome = enrolment.confirm(request, asked.person, offered, typed=form.cleaned_data["code"], name=_("Phone"))
    if outcome.device is not None:
        with transaction.atomic():
            return _added(request, continuation, asked, outcome.device)
    if outcome.retry_after:
        form.add_error("code", _("Too many wrong codes. Try again in %(wait)s.") % {"wait": wait_words(outcome.retry_after)})
        response = _show(request, continuation, asked, form, status=429)
        response["Retry-After"] = str(outcome.retry_after)
        return response
    form.add_error("code", _("This code is not right. Check that the clock of your phone is right, and enter the code that it shows now."))
    return _show(request, continuation, asked, form)


def _added(request: HttpRequest, continuation: Continuation, asked: Asked, device: TotpDevice) -> HttpResponseBase:
    """The proof is kept, and recovery codes are shown before anything else."""
    if asked.stage is not None:
        seam.record(request, asked.person, device.kind, device=device.persistent_id)
    else:
        step_up.prove(request, asked.person, device, client_id=continuation.client_id)
    codes = factors.make_codes(asked.person, request=request)
    return page(request, "enrolled", continuation=continuation, codes=codes)


def _go_on(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    """The codes are kept; what waited goes on, if it was set up in this very sign-in."""
    if asked.stage is None:
        return HttpResponseRedirect(continuation.url)
    if not policy.reaches(sessions.proved(request, asked.person).acr, policy.of_person(asked.person.pk).acr):
        seam.abandon(request)  # set up elsewhere meanwhile: then it is proved like any other
        return HttpResponseRedirect(continuation.along("/login"))
    with transaction.atomic():
        policy.done(asked.person)
        target = continuation.url if continuation.fields else None
        return seam.go_on(request, asked.stage, continue_to=target, client_id=continuation.client_id)


def _later(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    with transaction.atomic():
        emit(EnrolmentPostponed(days=asked.days), person=asked.person.pk)
        if asked.stage is not None:
            target = continuation.url if continuation.fields else None
            return seam.go_on(request, asked.stage, continue_to=target, client_id=continuation.client_id)
        assert continuation.interaction is not None
        continuation.interaction.record(postponed=str(asked.person.pk))
    return HttpResponseRedirect(continuation.url)


def _asked(request: HttpRequest, continuation: Continuation) -> Asked | None:
    waiting = stage.pending_enrolment(request)
    if waiting is not None:
        return Asked(waiting.person, waiting)
    interaction, user = continuation.interaction, request.user
    if isinstance(user, User) and interaction is not None and interaction.ask == "enrol":
        return Asked(User.objects.get(pk=user.pk), None, must=interaction.outcomes.get("enrolment") != "may_wait")
    return None


def _show(request: HttpRequest, continuation: Continuation, asked: Asked, form: CodeForm, *, status: int = 200) -> HttpResponseBase:
    wanted = policy.of_person(asked.person.pk).acr
    possible = asked.must or policy.can_be_set_up(wanted)
    offered = enrolment.offered(request, asked.person) if possible else None
    return page(
        request,
        "enrol",
        continuation=continuation,
        form=form,
        possible=possible,
        days=asked.days,
        drawing=qr.svg(offered.uri) if offered is not None else "",
        manual_key=offered.manual_key if offered is not None else "",
        uri=offered.uri if offered is not None else "",
        status=status,
    )
