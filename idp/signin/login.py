"""Signing in: one page with identifier and password, and the choice of the account that is signed in already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from idp.accounts import authentication, challenge
from idp.accounts.allauth import sign_in
from idp.accounts.emails import MAX_LENGTH
from idp.accounts.models import User
from idp.federation.upstreams import home_of, offered
from idp.interactions import browser
from idp.mfa.webauthn import relying_party

from . import code_sign_in
from .continuation import Continuation
from .forms import CodeRequestForm, IdentifierForm, LoginForm
from .pages import after, allowed_upstreams, handles_passwords, page, passkey_refusal, throttled, wait_words
from .upstream import WAITING, leave

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from idp.accounts.authentication import Attempt
    from idp.federation.upstreams import Upstream


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def login(request: HttpRequest) -> HttpResponseBase:
    """`/login`: what to show is the paused request's `ask`; when done, it goes on where that says."""
    continuation = Continuation(request)
    if request.method == "POST":
        return _post(request, continuation)
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


def _post(request: HttpRequest, continuation: Continuation) -> HttpResponseBase:
    if "continue" in request.POST:
        return _continue_as(request, continuation)
    home = _at_home_elsewhere(request, continuation)
    if home is not None:
        return leave(request, continuation, home, login_hint=request.POST["login"][:MAX_LENGTH].strip())
    if request.POST.get("way") == "code" or not _takes_password():
        return _send_code(request, continuation)
    if "password" not in request.POST and _identifier_first():
        return show(request, continuation, IdentifierForm(request.POST))
    return _sign_in(request, continuation)


def _takes_password() -> bool:
    return "password" in settings.IDP.sign_in_methods


def _identifier_first() -> bool:
    return bool(settings.IDP.sign_in_page == "identifier_first")


def _send_code(request: HttpRequest, continuation: Continuation) -> HttpResponseBase:
    form = CodeRequestForm(request.POST)
    if form.is_valid() and not code_sign_in.possible(form.cleaned_data["login"]):
        form.add_error("login", _("Nothing can be sent there that signs in. Use another way, or your other address."))
    if not form.is_valid():
        return show(request, continuation, form)
    return code_sign_in.begin(request, continuation, form.cleaned_data["login"])


def _sign_in(request: HttpRequest, continuation: Continuation) -> HttpResponseBase:
    form = LoginForm(request.POST)
    if not form.is_valid():
        return show(request, continuation, form)
    found = authentication.attempt(
        request,
        identifier=form.cleaned_data["login"],
        password=form.cleaned_data["password"],
        client_id=continuation.client_id,
        solved="challenge" in request.POST and challenge.accept(request.POST["challenge"], request.POST.get("solution", "")),
    )
    if found.refusal == "challenge":
        form.add_error("password", _("Enter your password once more: your browser has to compute for a moment first."))
        return show(request, continuation, form, status=429)
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
        return _identifier(request.user)
    if interaction is None:
        return ""
    if interaction.reauthenticate and request.user.is_authenticated and "switch" not in request.GET:
        return _identifier(request.user)
    return interaction.login_hint


def _again(request: HttpRequest, continuation: Continuation) -> bool:
    """A page of ours wants the person to prove again who they are, before it changes how they sign in (hostile case BR-06)."""
    return "again" in request.GET and bool(continuation.next) and request.user.is_authenticated and "switch" not in request.GET


def show(
    request: HttpRequest, continuation: Continuation, form: IdentifierForm, *, passkey: str = "", status: int = 200
) -> HttpResponseBase:
    """The page; `passkey` is why one was refused (`idp.mfa.webauthn.refused.Why`)."""
    user, interaction = request.user, continuation.interaction
    again = interaction is not None and interaction.reauthenticate and user.is_authenticated and "switch" not in request.GET
    again = again or _again(request, continuation)
    again = again and isinstance(user, User) and form["login"].value() == _identifier(user)
    # What somebody has is asked of nobody who is not signed in as them.
    has_password = not (again and isinstance(user, User)) or user.has_usable_password()
    known = bool(form["login"].value()) and not form.errors.get("login")
    form = _with_password(form, known=known)
    second_page = _identifier_first() and known and (request.method == "POST" or again)
    browser.ensure(request)  # before the page's scripts send several requests at once, each of which would be another browser's
    answer = page(
        request,
        "login",
        continuation=continuation,
        form=form,
        again=again,
        notice=after(request.GET.get("done", "")),
        passkey_refusal=passkey_refusal(passkey),
        passkey_unknown=passkey == "unknown_passkey",
        passkey_rp_id=relying_party.rp_id(),
        takes_password=has_password and _takes_password(),
        asks_password=has_password and _takes_password() and (second_page or not _identifier_first()),
        identifier_fixed=again or second_page,
        sends_codes=code_sign_in.offered(),
        task=challenge.new() if challenge.needed() else None,
        status=status,
    )
    browser.remember(request, answer)
    return answer


def _with_password(form: IdentifierForm, *, known: bool) -> LoginForm:
    """The same with a field for the password: the second of two pages, or one page that keeps what was wrong with the identifier."""
    if isinstance(form, LoginForm):
        return form
    if known:
        return LoginForm(initial={"login": form["login"].value()})
    whole = LoginForm(form.data) if form.is_bound else LoginForm()
    if form.is_bound:
        whole.errors.clear()  # what it would say about the password: nobody asked
        for name, errors in form.errors.as_data().items():
            for error in errors:
                whole.add_error(name, error)
    return whole


def _identifier(user: User | AnonymousUser) -> str:
    return (user.email or user.phone or "") if isinstance(user, User) else ""
