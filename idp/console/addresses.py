"""Changing the e-mail address or the phone number, and taking such a change back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from idp.accounts import address_change, recovery
from idp.accounts.address_change import Kind
from idp.mfa import step_up

from . import link_cookie, profile
from .protected import prove_first

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User

COOKIE = "undo"


class EmailForm(forms.Form):
    """The new e-mail address; its shape is judged where every address is."""

    address = forms.CharField(
        label=gettext_lazy("New email address"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Enter your email address."),
            "max_length": gettext_lazy("This is longer than anything we accept."),
        },
    )


class PhoneForm(forms.Form):
    """The new number."""

    address = forms.CharField(
        label=gettext_lazy("New mobile number"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
        help_text=gettext_lazy("With the country code, for example +49 151 23456789."),
        error_messages={
            "required": gettext_lazy("Enter your mobile number."),
            "max_length": gettext_lazy("This is longer than anything we accept."),
        },
    )


class CodeForm(forms.Form):
    """The six digits, however they are grouped."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        error_messages={"required": gettext_lazy("Enter the code."), "max_length": gettext_lazy("The code has six digits.")},
    )

    def clean_code(self) -> str:
        digits = "".join(letter for letter in self.cleaned_data["code"] if not letter.isspace() and letter != "-")
        if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
            raise ValidationError(_("The code has six digits."), code="malformed")
        return digits


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: HttpRequest, word: str) -> HttpResponse:
    """`/account/address/email` and `…/phone`: a new address, then its code. To begin wants a recent proof; the code is one itself."""
    user = cast("User", request.user)
    kind = Kind(word) if word in Kind.values else None
    if kind is None or (kind not in address_change.kinds() and not address_change.current(user, kind)):
        raise Http404
    decision = request.POST.get("decision", "") if request.method == "POST" else ""
    waiting = address_change.waiting(user, kind)
    if decision == "cancel":
        address_change.cancel(user, kind)
        return redirect("account-profile")
    if decision == "confirm" and waiting is not None:
        return _confirm(request, user, kind)
    if waiting is not None and not decision:
        return _page(request, user, kind, CodeForm(), waiting=waiting)
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if decision == "remove" and kind == Kind.PHONE:
        if address_change.remove_phone(user):
            step_up.renew(request)
            messages.success(request, _("Your phone number was removed."))
        return redirect("account-profile")
    form = (PhoneForm if kind == Kind.PHONE else EmailForm)(request.POST if decision == "send" else None)
    if decision == "send" and form.is_valid():
        return _begin(request, user, kind, form)
    gone = decision == "confirm"
    return _page(request, user, kind, form, gone=gone, status=400 if gone else 200)


def _begin(request: HttpRequest, user: User, kind: Kind, form: forms.Form) -> HttpResponse:
    try:
        address_change.begin(user, kind=kind, address=form.cleaned_data["address"])
    except ValidationError as error:
        form.add_error("address", error)
        return _page(request, user, kind, form)
    except address_change.TooMany as many:
        form.add_error("address", _("You asked for this several times. Try again in an hour."))
        response = _page(request, user, kind, form, status=429)
        response["Retry-After"] = str(many.retry_after)
        return response
    step_up.renew(request)
    return redirect("account-address", kind.value)


def _confirm(request: HttpRequest, user: User, kind: Kind) -> HttpResponse:
    form = CodeForm(request.POST)
    if form.is_valid():
        verdict = address_change.confirm(user, kind=kind, code=form.cleaned_data["code"])
        if verdict.done:
            messages.success(
                request, _("Your new phone number is verified.") if kind == Kind.PHONE else _("Your new email address is verified.")
            )
            return redirect("account-profile")
        if verdict.refusal == "spent":
            return _page(request, user, kind, (PhoneForm if kind == Kind.PHONE else EmailForm)(), gone=True, status=400)
        else:
            text = ngettext(
                "This code is not right. %(count)d try is left.", "This code is not right. %(count)d tries are left.", verdict.tries_left
            )
            form.add_error("code", text % {"count": verdict.tries_left})
    return _page(request, user, kind, form, waiting=address_change.waiting(user, kind))


@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: HttpRequest) -> HttpResponse:
    """`/account/address/undo`: the link in the mail to the former address. Opening it changes nothing (EM-01)."""
    response = link_cookie.moved(request, COOKIE)
    if response is not None:
        return response
    token = link_cookie.held(request, COOKIE)
    row = address_change.with_undo(token)
    if row is None:
        return render(request, "console/address_undo.html", {"state": "gone"}, status=400)
    if request.method != "POST":
        return render(request, "console/address_undo.html", {"state": "ask", "former": row.former, "address": row.address})
    user = address_change.undo(token)
    if user is None:
        return link_cookie.spent(render(request, "console/address_undo.html", {"state": "gone"}, status=400), COOKIE)
    if user.email and user.email_verified:
        recovery.request_link(user.email)
    return link_cookie.spent(render(request, "console/address_undo.html", {"state": "done", "has_mail": bool(user.email)}), COOKIE)


def _page(request: HttpRequest, user: User, kind: Kind, form: forms.Form, *, status: int = 200, **context: Any) -> HttpResponse:
    scope = {
        "section": "profile",
        "person": profile.display_name(user),
        "kind": kind.value,
        "form": form,
        "current": address_change.current(user, kind),
        "can_remove": kind == Kind.PHONE and bool(user.phone) and user.email_verified,
        **context,
    }
    return render(request, "console/address.html", scope, status=400 if status == 200 and form.is_bound and form.errors else status)
