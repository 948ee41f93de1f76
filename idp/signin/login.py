"""Signing in: one page with identifier and password, and the choice of the account that is signed in already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from idp.accounts import authentication
from idp.accounts.allauth import sign_in
from idp.accounts.emails import MAX_LENGTH
from idp.federation.upstreams import home_of, offered
from idp.mfa.webauthn import relying_party

from .continuation import Continuation
from .forms import LoginForm
from .pages import after, allowed_upstreams, handles_passwords, page, passkey_refusal, throttled, wait_words
from .upstream import WAITING, leave

if TYPE_CHECKING:
    from idp.accounts.authentication import Attempt
    from idp.federation.upstreams import Upstream


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def login(request: HttpRequest) -> HttpResponseBase:
    """`/login`: what to show is the paused request's `ask`; when done, it goes on where that says."""
    continuation = Continuation(request)
    if request.method == "POST":
        return _continue_as(request, continuation) if "continue" in request.POST else _sign_in(request, continuation)
    if continuation.is_lost:
        return HttpResponseRedirect(continuation.url)
    interaction = continuation.interaction
    chosen = "switch" in request.GET or _again(
        request, continuation
    )  # the person came here on purpose: "use another account", "have an account?"
    if interaction is not None and interaction.ask == "create" and not chosen:
        return HttpResponseRedirect(continuation.along("/signup"))
    if request.user.is_authenticated and not chosen:
        if interaction is None:
            return HttpResponseRedirect(continuation.url)
        if interaction.ask == "select_account":
            return page(request, "choose_account", continuation=continuation, person=request.user)
        if not interaction.reauthenticate and interaction.ask != "login":
            return HttpResponseRedirect(continuation.url)
    hinted = _hinted(request, continuation)
    if hinted is not None:
        return leave(request, continuation, hinted)
    return show(request, continuation, empty_form(request, continuation))


@require_safe
def disabled(request: HttpRequest) -> HttpResponseBase:
    """`/login/disabled`: the password was right and the account is switched off."""
    return page(request, "disabled", continuation=Continuation(request), status=403)


def _hinted(request: HttpRequest, continuation: Continuation) -> Upstream | None:
    """The provider that the app wants to be used (`idp_hint`, else the domain of `login_hint`); once per request, never in a circle."""
    interaction = continuation.interaction
    if interaction is None or request.GET.keys() & {"done", "switch"} or interaction.outcomes.get("hinted"):
        return None
    allowed = allowed_upstreams(continuation)
    name = interaction.parameters.get("idp_hint")
    hinted = next((one for one in offered(allowed) if one.name == name), None) or home_of(interaction.login_hint, allowed)
    if hinted is not None:
        interaction.record(hinted=hinted.name)
    return hinted


def _at_home_elsewhere(request: HttpRequest, continuation: Continuation) -> Upstream | None:
    """The provider that people with the e-mail address that was typed sign in at; they type no password here (home realm)."""
    if WAITING in request.session:  # they are here to link: it is the account of ours that they prove
        return None
    return home_of(request.POST.get("login", "")[:MAX_LENGTH], allowed_upstreams(continuation))


def _sign_in(request: HttpRequest, continuation: Continuation) -> HttpResponseBase:
    home = _at_home_elsewhere(request, continuation)
    if home is not None:
        return leave(request, continuation, home, login_hint=request.POST["login"].strip())
    form = LoginForm(request.POST)
    if not form.is_valid():
        return show(request, continuation, form)
    found = authentication.attempt(
        request, identifier=form.cleaned_data["login"], password=form.cleaned_data["password"], client_id=continuation.client_id
    )
    if found.refusal == "throttled":
        return throttled(request, continuation=continuation, retry_after=found.retry_after)
    if found.user is None:
        form.add_error("password", _refusal(found))
        response = show(request, continuation, form, status=429 if found.refusal == "locked" else 400)
        if found.refusal == "locked":
            response["Retry-After"] = str(found.retry_after)
        return response
    with transaction.atomic():
        return sign_in(request, found.user, continue_to=continuation.url, client_id=continuation.client_id)


def _continue_as(request: HttpRequest, continuation: Continuation) -> HttpResponseBase:
    """The person chose the account that is signed in (prompt=select_account, OpenID Connect Core 3.1.2.1)."""
    if not request.user.is_authenticated:
        return HttpResponseRedirect(continuation.along("/login"))
    if continuation.interaction is not None:
        continuation.interaction.record(account=str(request.user.pk))
    return HttpResponseRedirect(continuation.url)


def _refusal(found: Attempt) -> str:
    if found.refusal == "locked":
        text = _("Too many wrong passwords. Try again in %(wait)s, or reset your password.")
        return text % {"wait": wait_words(found.retry_after)}
    # One sentence for an unknown person and for a wrong password (PW-01).
    return _("Email or password is wrong. Check both, or reset your password.")


def empty_form(request: HttpRequest, continuation: Continuation) -> LoginForm:
    """The form with the identifier that is known already."""
    return LoginForm(initial={"login": _first_identifier(request, continuation)})


def _first_identifier(request: HttpRequest, continuation: Continuation) -> str:
    interaction = continuation.interaction
    if _again(request, continuation) and request.user.is_authenticated:
        return request.user.email or ""
    if interaction is None:
        return ""
    if interaction.reauthenticate and request.user.is_authenticated and "switch" not in request.GET:
        return request.user.email or ""
    return interaction.login_hint


def _again(request: HttpRequest, continuation: Continuation) -> bool:
    """A page of ours wants the person to prove again who they are, before it changes how they sign in (hostile case BR-06)."""
    return "again" in request.GET and bool(continuation.next) and request.user.is_authenticated and "switch" not in request.GET


def show(request: HttpRequest, continuation: Continuation, form: LoginForm, *, passkey: str = "", status: int = 200) -> HttpResponseBase:
    """The page; `passkey` is why one was refused (`idp.mfa.webauthn.refused.Why`)."""
    interaction = continuation.interaction
    again = interaction is not None and interaction.reauthenticate and request.user.is_authenticated and "switch" not in request.GET
    again = again or _again(request, continuation)
    again = again and request.user.is_authenticated and form["login"].value() == request.user.email
    return page(
        request,
        "login",
        continuation=continuation,
        form=form,
        again=again,
        notice=after(request.GET.get("done", "")),
        passkey_refusal=passkey_refusal(passkey),
        passkey_unknown=passkey == "unknown_passkey",
        passkey_rp_id=relying_party.rp_id(),
        takes_password=not (again and request.user.is_authenticated) or request.user.has_usable_password(),
        status=status,
    )
