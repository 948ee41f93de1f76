"""A phone for text messages is set up in the middle of a sign-in, or of an app's request: the weakest second step, where it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from idp.accounts.phones import readable
from idp.mfa import enrolment, factors, policy, sending

from . import enrol
from .continuation import Continuation
from .forms import CodeForm, NumberForm
from .pages import page, sent_notice, wait_words

if TYPE_CHECKING:
    from idp.mfa.models import Phone

PATH = "/login/enrol/phone"


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def enrol_phone(request: HttpRequest) -> HttpResponseBase:
    """`/login/enrol/phone`: a number, then the code that was sent there. The number is the one that waits here (hostile case MF-08)."""
    continuation = Continuation(request)
    asked = enrol.asked(request, continuation)
    if asked is None or not sending.by_sms() or not policy.app_does(asked.person, asked.wanted):
        return HttpResponseRedirect(continuation.along("/login/enrol"))
    if not enrol.may_add(request, asked):
        return enrol.prove_first(request, continuation, asked)
    phone = factors.waiting_phone(asked.person)
    if request.method == "POST" and "number" in request.POST:
        return _begin(request, continuation, asked)
    if phone is None or "other" in request.GET:
        return _show(request, continuation, asked, NumberForm())
    if request.method != "POST":
        return _show(request, continuation, asked, CodeForm(), phone)
    if "send" in request.POST:
        return _send(continuation, phone)
    return _confirm(request, continuation, asked, phone)


def _begin(request: HttpRequest, continuation: Continuation, asked: enrol.Asked) -> HttpResponseBase:
    form = NumberForm(request.POST)
    if not form.is_valid():
        return _show(request, continuation, asked, form)
    phone = factors.add_phone(asked.person, form.cleaned_data["number"])
    if phone is None:
        form.add_error("number", _("This number is here already, or you have as many as an account can have."))
        return _show(request, continuation, asked, form)
    return _send(continuation, phone)


def _send(continuation: Continuation, phone: Phone) -> HttpResponseBase:
    return HttpResponseRedirect(continuation.along(PATH, done=sending.send(phone)))


def _confirm(request: HttpRequest, continuation: Continuation, asked: enrol.Asked, phone: Phone) -> HttpResponseBase:
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _show(request, continuation, asked, form, phone)
    outcome = enrolment.confirm_phone(asked.person, phone, typed=form.cleaned_data["code"])
    if outcome.device is not None:
        with transaction.atomic():
            return enrol.added(request, continuation, asked, outcome.device)
    if outcome.retry_after:
        form.add_error("code", _("Too many wrong codes. Try again in %(wait)s.") % {"wait": wait_words(outcome.retry_after)})
        response = _show(request, continuation, asked, form, phone, status=429)
        response["Retry-After"] = str(outcome.retry_after)
        return response
    form.add_error("code", _("This code is not right, or too old. Ask for a new one."))
    return _show(request, continuation, asked, form, phone)


def _show(
    request: HttpRequest,
    continuation: Continuation,
    asked: enrol.Asked,
    form: CodeForm | NumberForm,
    phone: Phone | None = None,
    *,
    status: int = 200,
) -> HttpResponseBase:
    """The page that asks for the number, or for the code that went to `phone`."""
    kind, text = sent_notice(request.GET.get("done", ""))
    return page(
        request,
        "enrol_phone",
        continuation=continuation,
        form=form,
        number=readable(phone.number) if phone is not None else "",
        other_url=continuation.along(PATH, other="1"),
        back_url=continuation.along("/login/enrol"),
        notice_kind=kind,
        notice=text,
        status=status,
    )
