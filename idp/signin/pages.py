"""How a sign-in page answers: its template with the usual context, the right status, and pages for "wait" and "busy"."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from idp.accounts.models import User
from idp.accounts.passwords import MIN_LENGTH, HashingBusy, shortest
from idp.federation.allauth import links_of
from idp.federation.upstreams import Upstream, offered
from idp.mfa import factors

from . import invited
from .continuation import Continuation

View = Callable[..., HttpResponseBase]


def page(request: HttpRequest, template: str, *, continuation: Continuation, status: int = 200, **context: Any) -> HttpResponse:
    """Render `signin/<template>.html`. A form with errors is a 400: nothing was done."""
    form = context.get("form")
    if status == 200 and form is not None and form.is_bound and form.errors:
        status = 400
    scope = {
        "continuation": continuation,
        "interaction": continuation.interaction,
        "client": continuation.interaction.client if continuation.interaction is not None else None,
        "fields": continuation.fields,
        "login_url": continuation.along("/login"),
        "switch_url": continuation.along("/login", switch="1"),
        "signup_url": continuation.along("/signup"),
        "forgot_url": continuation.along("/password/forgot"),
        "upstreams": lambda: upstreams_of(request, continuation),  # asked for by the pages that show them
        "signup_open": settings.IDP.signup == "open" or (settings.IDP.signup == "invitation" and invited.held(request) is not None),
        "password_hint": password_hint(),
        **context,
    }
    return render(request, f"signin/{template}.html", scope, status=status)


def allowed_upstreams(continuation: Continuation) -> list[str] | None:
    """The names of the other providers that the app lets its people sign in through; None = it did not choose."""
    interaction = continuation.interaction
    return interaction.client.identity_providers if interaction is not None else None


def upstreams_of(request: HttpRequest, continuation: Continuation) -> list[Upstream]:
    """The providers that get a button; for somebody who is to confirm that it is them, those that can: the ones they linked."""
    found = [one for one in offered(allowed_upstreams(continuation)) if one.options.button]
    interaction = continuation.interaction
    if isinstance(request.user, User) and ("again" in request.GET or (interaction is not None and interaction.reauthenticate)):
        linked = {one.issuer for one in links_of(request.user)} if found else set()
        found = [one for one in found if one.issuer in linked or "switch" in request.GET]
    return found


def password_hint(user: User | None = None) -> str:
    """What a new password must be like, for somebody new or for `user`."""
    fewest = fewest_characters(user) if user is not None else MIN_LENGTH
    return _("At least %(limit)d characters. A few unrelated words are easy to remember.") % {"limit": fewest}


def fewest_characters(user: User) -> int:
    """How short a password of this person may be."""
    return shortest(second_factor=factors.required(user))


def throttled(request: HttpRequest, *, continuation: Continuation, retry_after: int) -> HttpResponse:
    """Too many attempts from one place (429, RFC 6585 4): says how long to wait, and leads back."""
    response = page(
        request, "throttled", continuation=continuation, status=429, wait=wait_words(retry_after), back_url=continuation.along(request.path)
    )
    response["Retry-After"] = str(max(1, retry_after))
    return response


def wait_words(seconds: int) -> str:
    """So many seconds, in words, rounded up."""
    if seconds < 60:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": max(1, seconds)}
    minutes = -(-seconds // 60)
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


def handles_passwords(view: View) -> View:
    """For every view that takes a password: it stays out of error reports, and a machine too busy to hash it answers 503."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except HashingBusy:
            response = render(request, "503.html", status=503)
            response["Retry-After"] = "5"
            return response

    return sensitive_post_parameters()(guarded)


def passkey_refusal(why: str) -> str:
    """Why a passkey was not accepted, as a sentence. A failed signature and a stranger's key say the same: nothing to learn here."""
    return {
        "": "",
        "expired": _("This took too long, or was sent twice. Try again."),
        "unknown_passkey": _("This passkey is not known here any more. Use another one, or sign in another way."),
        "suspected_copy": _("This passkey looks like a copy and was switched off. Sign in another way, then remove it from your account."),
        "known_already": _("This passkey is in use already."),
        "too_many": _("You have as many passkeys as an account can have. Remove one first."),
        "unattested": _("Passkeys of this make are not accepted here. Use another device or security key."),
    }.get(why, _("This passkey was not accepted. Try again, or use another way."))


def sent_notice(word: str) -> tuple[str, str]:
    """Kind and text of what is said when a code was asked for (`?done=`, the outcomes of `mfa.sending.send`); unknown words say nothing."""
    return {
        "sent": ("ok", _("A code is on its way. It works for ten minutes; a former one does not work any more.")),
        "too_soon": ("warn", _("A code was sent a moment ago. Wait half a minute before you ask for another one.")),
        "too_many": ("warn", _("No more codes can be sent now. Use another way, or try again in an hour.")),
    }.get(word, ("", ""))


def after(text: str) -> str:
    """The sentence a page shows when it is reached with `?done=<word>`; unknown words show nothing (never an echo)."""
    return {
        "cancelled": _("You did not sign in at the other provider. Try again, or sign in another way."),
        "reset": _("Your password is changed. Sign in with the new one."),
        "second_step_removed": _("Your second step is removed. Sign in, then set up a new one."),
        "verified": _("Your address is verified."),
        "stale": _("This page was out of date. Nothing was sent; try again."),
        "registered": _("There is already an account with this address. Sign in, or reset the password."),
    }.get(text, "")
