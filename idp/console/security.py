"""How somebody signs in: what they hold beside the password. Each change needs a proof that is not older than five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from idp.accounts import mail
from idp.accounts.phones import readable
from idp.mfa import enrolment, factors, qr, sending, step_up, trust
from idp.mfa.webauthn import registration, signals

from . import profile

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User
    from idp.mfa.models import TotpDevice


class NameForm(forms.Form):
    """What the person calls it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 60}),
        error_messages={"required": gettext_lazy("Give it a name."), "max_length": gettext_lazy("Use at most 60 characters.")},
    )

    def clean_name(self) -> str:
        # One line of printable text: it goes into a mail and beside other names.
        name = " ".join("".join(character for character in self.cleaned_data["name"] if character.isprintable()).split())
        if not name:
            raise forms.ValidationError(_("Give it a name."))
        return name


class AuthenticatorForm(NameForm):
    """The first code of a new app, and its name."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        error_messages={"required": gettext_lazy("Enter the code."), "max_length": gettext_lazy("The code has six digits.")},
    )
    field_order = ["code", "name"]


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """`/account/security`: everything that signs this person in, and what to mend."""
    user = person_of(request)
    held, keys = factors.of_person(user), factors.keys_of(user)
    left = factors.codes_left(user)
    return page(
        request,
        "security",
        held=held,
        keys=keys,
        can_add_key=len(keys) < registration.MOST,
        signals=signals.of_person(user),
        codes_left=left,
        has_password=user.has_usable_password(),
        can_add=len(held) < factors.MOST,
        by_sms=sending.by_sms(),
        phones=[(phone, readable(phone.number)) for phone in factors.phones_of(user)],
        trusted=[(browser, mail.device(browser.user_agent), browser.ip) for browser in trust.of_person(user)],
        protected=factors.required(user),
    )


@sensitive_variables("offered")
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add_authenticator(request: HttpRequest) -> HttpResponse:
    """`/account/security/authenticator`: scan, type the first code, done."""
    user = person_of(request)
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if len(factors.of_person(user)) >= factors.MOST:
        messages.warning(request, _("You have as many authenticator apps as an account can have. Remove one first."))
        return redirect("account-security")
    offered = enrolment.waiting(request, user)
    if request.method != "POST" or offered is None:
        offered = enrolment.offered(request, user)
        return _enrol(request, offered, AuthenticatorForm(initial={"name": _first_name(user)}))
    form = AuthenticatorForm(request.POST)
    if not form.is_valid():
        return _enrol(request, offered, form)
    outcome = enrolment.confirm(request, user, offered, typed=form.cleaned_data["code"], name=form.cleaned_data["name"])
    if outcome.retry_after:
        form.add_error("code", _("Too many wrong codes. Try again in a few minutes."))
        response = _enrol(request, offered, form, status=429)
        response["Retry-After"] = str(outcome.retry_after)
        return response
    if outcome.device is None:
        form.add_error(
            "code", _("This code is not right. Check that the clock of your phone is right, and enter the code that it shows now.")
        )
        return _enrol(request, offered, form)
    step_up.prove(request, user, outcome.device)
    if factors.codes_left(user):
        messages.success(request, _("Your authenticator app was added."))
        return redirect("account-security")
    return page(request, "recovery_codes", codes=factors.make_codes(user, request=request), added=outcome.device.name)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def authenticator(request: HttpRequest, number: int) -> HttpResponse:
    """`/account/security/authenticator/NUMBER`: another name, or away with it."""
    user = person_of(request)
    device = _own(user, number)
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    form = NameForm(initial={"name": device.name})
    if request.method == "POST" and request.POST.get("decision") == "remove":
        if factors.remove(user, device, request=request):
            messages.success(request, _("“%(name)s” was removed.") % {"name": device.name})
        return redirect("account-security")
    if request.method == "POST":
        form = NameForm(request.POST)
        if form.is_valid():
            factors.rename(user, device, form.cleaned_data["name"])
            return redirect("account-security")
    last = len(factors.of_person(user)) == 1
    status = 400 if form.is_bound else 200
    return page(request, "authenticator", status=status, device=device, form=form, last=last)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """`/account/security/recovery-codes`: new ones, shown this once."""
    user = person_of(request)
    if not factors.required(user):
        return redirect("account-security")  # they stand in for a second factor: without one they are nothing
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if request.method != "POST":
        return page(request, "recovery_codes", codes=None, codes_left=factors.codes_left(user))
    return page(request, "recovery_codes", codes=factors.make_codes(user, request=request), added="")


def person_of(request: HttpRequest) -> User:
    """Whoever is signed in; for views that only they reach."""
    return cast("User", request.user)


def _own(user: User, number: int) -> TotpDevice:
    for device in factors.of_person(user):
        if device.pk == number:
            return device
    raise Http404


def _first_name(user: User) -> str:
    return _("Phone") if not factors.of_person(user) else ""


def prove_first(request: HttpRequest) -> HttpResponse:
    """The sign-in page, which leads back; what a form held is not kept."""
    return HttpResponseRedirect(f"/login?{urlencode({'again': '1', 'next': request.path})}")


def _enrol(request: HttpRequest, offered: factors.Enrolment, form: AuthenticatorForm, *, status: int = 200) -> HttpResponse:
    status = 400 if status == 200 and form.is_bound else status
    drawing = qr.svg(offered.uri)
    return page(request, "add_authenticator", status=status, form=form, drawing=drawing, manual_key=offered.manual_key, uri=offered.uri)


def page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """A page of this section, `console/NAME.html`."""
    scope = {"section": "security", "person": profile.display_name(person_of(request)), **context}
    return render(request, f"console/{name}.html", scope, status=status)
