"""A forgotten password: ask for a code and a link, enter the one or open the other, choose a new password."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import people, proofs, recovery
from idp.accounts.addresses import is_phone
from idp.accounts.authentication import ip_key
from idp.accounts.destinations import is_local_path
from idp.kernel import limits

from . import codes
from .continuation import Continuation
from .forms import CodeForm, EmailForm, NewPasswordForm, takes_phones
from .pages import fewest_characters, handles_passwords, page, password_hint

IP_LIMIT = 60
IP_SECONDS = 600
TOKEN = re.compile(r"[0-9a-f]{32}\.[0-9a-z]+-[0-9a-f]+", re.ASCII)
BACK_KEY = "recovery_back"


@require_http_methods(["GET", "HEAD", "POST"])
def forgot(request: HttpRequest) -> HttpResponseBase:
    """`/password/forgot`: the answer never depends on whether there is an account (PW-03, EM-12)."""
    continuation = Continuation(request)
    if request.method != "POST":
        hint = continuation.interaction.login_hint if continuation.interaction is not None else ""
        return page(request, "password_forgot", continuation=continuation, form=EmailForm(initial={"email": hint}), forgot_type=_type())
    form = EmailForm(request.POST)
    if not form.is_valid():
        return page(request, "password_forgot", continuation=continuation, form=form, forgot_type=_type())
    # EM-12: beyond the limit of the network the answer is still the same for everybody; only nothing leaves.
    if limits.hit("signin.recovery.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS).allowed:
        codes.wait_for(request, codes.RECOVERY, proofs.begin_recovery(form.cleaned_data["email"]), continuation)
        if continuation.fields:
            # The link opens in a new tab; the app that waits is found again through this browser's session.
            request.session[BACK_KEY] = continuation.along("/login")
    return HttpResponseRedirect(continuation.along("/password/forgot/sent"))


@require_http_methods(["GET", "HEAD", "POST"])
def sent(request: HttpRequest) -> HttpResponseBase:
    """`/password/forgot/sent`: what to do now, for everybody alike; takes the code in the browser that asked for it."""
    continuation = Continuation(request)
    _data, proof = codes.pending(request, codes.RECOVERY)
    if proof is None:
        return page(request, "password_sent", continuation=continuation)
    if request.method != "POST":
        return codes.show(request, codes.RECOVERY, continuation, proof, CodeForm())
    form = CodeForm(request.POST)
    if not form.is_valid():
        return codes.show(request, codes.RECOVERY, continuation, proof, form)
    verdict = proofs.confirm(proof.pk, form.cleaned_data["code"], request=request)
    if verdict.user is None:
        form.add_error("code", codes.refusal(verdict))
        return codes.show(request, codes.RECOVERY, continuation, proof, form, locked=verdict.retry_after)
    del request.session[codes.RECOVERY.key]
    return _keep(HttpResponseRedirect("/password/reset"), recovery.token_for(verdict.user, by_phone=is_phone(proof.address)))


@require_POST
def resend(request: HttpRequest) -> HttpResponseBase:
    """`/password/forgot/sent/resend`: a new code, when it is time."""
    return codes.resend(request, codes.RECOVERY, "password_sent")


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def reset(request: HttpRequest) -> HttpResponseBase:
    """`/password/reset`: opening the link changes nothing (EM-01); at the first hit its token leaves the address bar (EM-16).

    It moves into a cookie of this browser: a row of ours per opened link would let anybody fill the table.
    """
    continuation = Continuation(request)
    token = request.GET.get("token")
    if token is not None and request.method != "POST":
        return _keep(HttpResponseRedirect("/password/reset"), token)
    held = request.COOKIES.get(cookie_name(), "")
    user = recovery.person_of(held) if held else None
    if user is None:
        return page(request, "password_link_gone", continuation=continuation, status=400)
    if request.method != "POST":
        return page(
            request, "password_reset", continuation=continuation, form=NewPasswordForm(), person=user, password_hint=password_hint(user)
        )
    form = NewPasswordForm(request.POST)
    if not form.is_valid():
        return page(request, "password_reset", continuation=continuation, form=form, person=user, password_hint=password_hint(user))
    try:
        recovery.complete(held, form.cleaned_data["password"], fewest=fewest_characters(user))
    except ValidationError as error:
        form.add_error("password", error)
        return page(request, "password_reset", continuation=continuation, form=form, person=user, password_hint=password_hint(user))
    except people.Overtaken:
        return page(request, "password_link_gone", continuation=continuation, status=400)
    # It never signs in by itself: whoever holds the mailbox still passes every stage of a sign-in (EM-04, EM-10).
    back = request.session.get(BACK_KEY, "")
    target = back if is_local_path(back) else "/login"
    response = HttpResponseRedirect(f"{target}{'&' if '?' in target else '?'}done=reset")
    response.delete_cookie(cookie_name(), samesite="Lax")
    return response


def _type() -> str:
    return "text" if takes_phones() else "email"


def cookie_name() -> str:
    """`__Host-` prefixed when served over https."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_recovery"


def _keep(response: HttpResponse, token: str) -> HttpResponse:
    # Only what a token is made of: a cookie is no place for a stranger's bytes.
    shaped = token if len(token) <= recovery.LONGEST_TOKEN and TOKEN.fullmatch(token) else "-"
    response.set_cookie(
        cookie_name(), shaped, max_age=settings.PASSWORD_RESET_TIMEOUT, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
    return response


def well_known(request: HttpRequest) -> HttpResponseBase:
    """`/.well-known/change-password` (W3C "A Well-Known URL for Changing Passwords")."""
    return HttpResponseRedirect("/account/password")
