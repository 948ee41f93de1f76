"""Phones that get codes by text message: the weakest second step, where the installation allows it. And browsers that are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import phones
from idp.mfa import enrolment, factors, sending, step_up, trust
from idp.signin.forms import NumberForm

from .security import page, person_of, prove_first

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User
    from idp.mfa.models import Phone

CONFIRM = "account-confirm-phone"


class PhoneCodeForm(forms.Form):
    """The code from the message."""

    code = forms.CharField(label=gettext_lazy("Code"), max_length=32, error_messages={"required": gettext_lazy("Enter the code.")})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """`/account/security/phone`: a number, to which a code is sent."""
    user = person_of(request)
    _offered()
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if request.method != "POST":
        return page(request, "add_phone", form=NumberForm())
    form = NumberForm(request.POST)
    if not form.is_valid():
        return page(request, "add_phone", form=form, status=400)
    phone = factors.add_phone(user, form.cleaned_data["number"])
    if phone is None:
        form.add_error("number", _("This number is here already, or you have as many as an account can have."))
        return page(request, "add_phone", form=form, status=400)
    _send(request, phone)
    return redirect(CONFIRM)


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """`/account/security/phone/confirm`: the code comes back, and the phone is a second step. The number is the one that waits here."""
    user = person_of(request)
    _offered()
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    phone = factors.waiting_phone(user)
    if phone is None:
        return redirect("account-add-phone")
    if request.method != "POST":
        return page(request, "confirm_phone", form=PhoneCodeForm(), number=phones.readable(phone.number))
    if "send" in request.POST:
        _send(request, phone)
        return redirect(CONFIRM)
    form = PhoneCodeForm(request.POST)
    outcome = enrolment.Outcome()
    if form.is_valid():
        outcome = enrolment.confirm_phone(user, phone, typed=form.cleaned_data["code"])
        if outcome.device is not None:
            return _confirmed(request, user, phone)
        if outcome.retry_after:
            form.add_error("code", _("Too many wrong codes. Try again in a few minutes."))
        else:
            form.add_error("code", _("This code is not right, or too old. Ask for a new one."))
    status = 429 if outcome.retry_after else 400
    response = page(request, "confirm_phone", form=form, number=phones.readable(phone.number), status=status)
    if outcome.retry_after:
        response["Retry-After"] = str(outcome.retry_after)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: HttpRequest, number: int) -> HttpResponse:
    """`/account/security/phone/NUMBER`: away with it."""
    user = person_of(request)
    phone = next((phone for phone in factors.phones_of(user) if phone.pk == number), None)
    if phone is None:
        raise Http404
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if request.method == "POST":
        if factors.remove(user, phone, request=request):
            messages.success(request, _("The phone was removed."))
        return redirect("account-security")
    last = len(factors.of_person(user)) + len(factors.keys_of(user)) + len(factors.phones_of(user)) == 1
    return page(request, "phone", number=phones.readable(phone.number), last=last)


@require_POST
@login_required
def end_trust(request: HttpRequest) -> HttpResponse:
    """`/account/security/browsers`: trusted no more, one (`number`) or all. Needs no fresh proof: it only makes signing in harder."""
    chosen = request.POST.get("number", "")
    everything = request.POST.get("decision") == "all"
    if not everything and not (chosen.isascii() and chosen.isdigit() and len(chosen) < 18):
        return redirect("account-security")
    ended = trust.end(person_of(request), number=None if everything else int(chosen), request=request)
    if ended:
        text = ngettext("%(count)d browser is asked again from now on.", "%(count)d browsers are asked again from now on.", ended)
        messages.success(request, text % {"count": ended})
    return redirect("account-security")


def _confirmed(request: HttpRequest, user: User, phone: Phone) -> HttpResponse:
    step_up.prove(request, user, phone)
    if factors.codes_left(user):
        messages.success(request, _("Your phone was added."))
        return redirect("account-security")
    return page(request, "recovery_codes", codes=factors.make_codes(user, request=request), added="")


def _send(request: HttpRequest, phone: Phone) -> None:
    outcome = sending.send(phone)
    if outcome == "too_soon":
        messages.warning(request, _("A code was sent a moment ago. Wait half a minute before you ask for another one."))
    elif outcome == "too_many":
        messages.warning(request, _("No more codes can be sent now. Use another way, or try again in an hour."))


def _offered() -> None:
    if not sending.by_sms():
        raise Http404
