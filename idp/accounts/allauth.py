"""The only module that touches django-allauth's account app; tests/contracts/allauth imports every name used here.

What allauth gives: the sign-in pipeline with its stages (where a second factor will stand), the records of how somebody authenticated, the
table of addresses. What is ours: judging passwords, counting failures, codes, recovery, mail and pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.auth_backends import AuthenticationBackend as AllauthBackend
from allauth.account.internal.flows.login import (
    AUTHENTICATION_METHODS_SESSION_KEY,
    get_authentication_records,
    perform_login,
    perform_password_login,
    record_authentication,
)
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress, Login
from allauth.account.stages import LoginStage, LoginStageController
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpResponseRedirect
from django.urls import reverse

from idp.events import emit
from idp.events.catalogue import SignInFailed, SignInSucceeded
from idp.events.outbox import enqueue
from idp.kernel import clock, places
from idp.kernel import context as kernel_context

from . import authentication, browsers, gate, new_browser, passwords, people, proofs
from .destinations import is_local_path
from .models import User

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

PROOF_KEY = "address_proof"
LEAVING = "leaving"
CLIENT_ATTRIBUTE = "_signing_in_for"
PASSKEY = "passkey"
ENOUGH = "strong_enough"


class Stage(LoginStage):
    """A step between a right password and the session, for whichever floor brings one (`settings.SIGN_IN_STAGES`)."""

    key = "-"  # each has its own


def sign_in(
    request: HttpRequest, user: User, *, continue_to: str, client_id: str | None = None, signup: bool = False, method: str = "password"
) -> HttpResponse:
    """Take a person whose password, or whatever else `method` names (`idp.sessions.assurance`), was right through the sign-in stages.

    Answers with the next page.

    Whoever was signed in here before, or had begun to, leaves nothing behind (hostile case BR-09).
    """
    _start_afresh(request, user, client_id=client_id)
    login = Login(user=user, redirect_url=continue_to, email=user.email, signup=signup)
    if method == "password":
        return perform_password_login(request, {}, login)
    record_authentication(request, user, method)
    return perform_login(request, login)


def sign_in_with_key(request: HttpRequest, user: User, *, continue_to: str, client_id: str | None, **facts: str | bool) -> HttpResponse:
    """The same for a person who has used a passkey with PIN, finger or face: nothing further is asked (`facts` of the record)."""
    _start_afresh(request, user, client_id=client_id)
    login = Login(user=user, redirect_url=continue_to, email=user.email)
    login.state[PASSKEY] = True  # in the sign-in itself: it cannot leak into another one (allauth 65.21.0)
    record_authentication(request, user, "webauthn", **facts)
    return perform_login(request, login)


def sign_in_from_upstream(
    request: HttpRequest, user: User, *, continue_to: str, client_id: str | None, signup: bool, two_factors: bool, upstream: str
) -> HttpResponse:
    """The same for a person whom the provider `upstream` vouches for: account gate and stages apply as after a password.

    `two_factors`: it proved two there, in words that the operator chose to trust; then no second one is asked for here.
    """
    _start_afresh(request, user, client_id=client_id)
    login = Login(user=user, redirect_url=continue_to, email=user.email, signup=signup)
    login.state[ENOUGH] = two_factors
    record_authentication(request, user, "federated_mfa" if two_factors else "federated", upstream=upstream)
    return perform_login(request, login)


def _start_afresh(request: HttpRequest, user: User, *, client_id: str | None) -> None:
    if SESSION_KEY in request.session and not (request.user.is_authenticated and request.user.pk == user.pk):
        get_adapter(request).logout(request)
    clear_login(request)
    setattr(request, CLIENT_ATTRIBUTE, client_id)


def pending(request: HttpRequest, key: str) -> Stage | None:
    """The stage `key`, if the sign-in of this browser stands there now: no other step can be reached by its address (MF-05).

    It ends when the account does, or when the password was changed since the stage kept its `epoch`.
    """
    stage = LoginStageController.enter(request, key)
    if stage is None:
        return None
    user = stage.login.user
    if not isinstance(user, User) or gate.refusal(user, epoch=stage.state.get("epoch", -1)) is not None:
        abandon(request)
        return None
    return stage


def go_on(request: HttpRequest, stage: Stage, *, continue_to: str | None, client_id: str | None) -> HttpResponse:
    """The stage is done: the next one, or signed in. `continue_to` replaces where the sign-in was to lead."""
    setattr(request, CLIENT_ATTRIBUTE, client_id)
    if continue_to is not None:
        stage.login.redirect_url = continue_to
    return stage.exit()


def abandon(request: HttpRequest) -> None:
    """Forget a sign-in that is under way, and what was proved for it."""
    clear_login(request)


def record(request: HttpRequest, user: User, method: str, **facts: str | bool) -> None:
    """Remember in this browser's session what `user` has proved now."""
    record_authentication(request, user, method, **facts)


def recorded(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    """What `user` has proved in this browser's session; nothing of anybody else (hostile case BR-09)."""
    return [entry for entry in get_authentication_records(request, user) if isinstance(entry, dict)]


def held(data: Any) -> list[dict[str, Any]]:
    """The records in a session, or in the stored data of one: whatever has `get`."""
    entries = data.get(AUTHENTICATION_METHODS_SESSION_KEY)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def forget(data: Any, devices: Iterable[str]) -> bool:
    """Take what these factors proved out of a session's data; false = there was nothing."""
    gone, entries = set(devices), held(data)
    kept = [entry for entry in entries if entry.get("device") not in gone]
    if len(kept) == len(entries):
        return False
    data[AUTHENTICATION_METHODS_SESSION_KEY] = kept
    return True


def record_address(user: User) -> None:
    """The account's address in allauth's table, verified or not; other rows of the person are allauth's own business."""
    if user.email:
        EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": user.email_verified, "primary": True})


def replace_address(user: User) -> None:
    """After a change of the e-mail address: allauth's table holds the present one and no former one."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email or "").delete()
    record_address(user)


class VerifyAddressStage(Stage):
    """Nobody gets in before the address is proved: a code is mailed and the sign-in starts again when it has come back."""

    key = "verify_email"
    urlname = "verify_email"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        if gate.refusal(user) != "unverified":
            return None, True
        proof = proofs.begin_sign_in(user)
        proved = [entry.get("method") for entry in recorded(self.request, user)]
        self.request.session[PROOF_KEY] = {"id": str(proof.pk), "continue": self.login.redirect_url, "method": (proved or ["password"])[-1]}
        return HttpResponseRedirect(reverse(self.urlname)), False


class TermsStage(Stage):
    """Nobody gets in who has not accepted the terms as they are now (`IDP_TERMS_VERSION`); a sign-up has just asked."""

    key = "terms"
    urlname = "accept_terms"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        if settings.IDP.terms_version in ("", user.terms_version):
            return None, True
        self.state["epoch"] = user.credential_epoch
        return HttpResponseRedirect(reverse(self.urlname)), True


class AccountAdapter(DefaultAccountAdapter):
    """Our answers to allauth's questions."""

    def get_login_stages(self) -> list[str]:
        return list(settings.SIGN_IN_STAGES)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.IDP.signup == "open")

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> HttpResponse | None:
        assert isinstance(user, User)
        if gate.refusal(user) == "disabled":
            clear_login(request)
            emit(SignInFailed(reason="disabled", client_id=getattr(request, CLIENT_ATTRIBUTE, None)), person=user.pk)
            return self.respond_user_inactive(request, user)
        return None

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        if isinstance(user, User) and user.erase_at is not None:
            # They asked to be deleted and come back in time: the password was right, which is enough to stay, not to get in.
            request.session[LEAVING] = {"person": str(user.pk), "at": clock.now().timestamp()}
            return HttpResponseRedirect(reverse("account-keep"))
        return HttpResponseRedirect(reverse("account_disabled"))

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, *, redirect_url: str | None, **_: Any) -> HttpResponse:
        assert isinstance(user, User)
        response = HttpResponseRedirect(redirect_url or settings.LOGIN_REDIRECT_URL)
        session = getattr(request, "op_session", None)
        amr, sid = tuple(getattr(session, "amr", ())), getattr(session, "sid", None)
        is_new = new_browser.is_new(request, user)
        client_id, place = getattr(request, CLIENT_ATTRIBUTE, None), places.of(kernel_context.current().ip)
        emit(SignInSucceeded(amr=amr, sid=sid, client_id=client_id, place=place or None, new_browser=is_new or None), person=user.pk)
        if is_new:
            new_browser.tell(user)
        browsers.remember(request, response, user)
        return response

    def add_message(self, *_: Any, **__: Any) -> None:
        """Pages say what happened themselves; allauth's flash messages would only cost a cookie."""

    def get_client_ip(self, request: HttpRequest) -> str:
        # Trusted proxies are judged once, in kernel.middleware (hostile case PW-09).
        return kernel_context.current().ip

    def is_safe_url(self, url: str | None) -> bool:
        return is_local_path(url)

    # Passwords: the same door for every form of allauth and Django (PW-12).

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """`authentication.attempt` counts, exactly and in the database; allauth's own sliding window stays out of it."""

    def clean_password(self, password: str, user: AbstractBaseUser | None = None) -> str:
        passwords.validate(password, context=passwords.context_words(email=getattr(user, "email", None)))
        return password

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        assert isinstance(user, User)
        people.change_password(user, password)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Every mail of allauth: rendered here, sent from the outbox."""
        message = self.render_mail(template_prefix, email, {"email": email, **context})
        html = next((body for body, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
        enqueue(receiver="mail", payload={"to": email, "subject": message.subject, "text": message.body, "html": html})

    def format_email_subject(self, subject: str) -> str:
        return f"[{settings.IDP.brand_name}] {subject}"


class AuthenticationBackend(AllauthBackend):
    """`django.contrib.auth.authenticate` by the same door as our pages, for whoever calls it (staff login, allauth's forms)."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        identifier = credentials.get("email") or credentials.get("username") or ""
        password = credentials.get("password") or ""
        if not identifier or not password:
            return None
        user = authentication.attempt(request, identifier=identifier, password=password).user
        return user if user is not None and gate.refusal(user) is None else None
