"""Pages that are hard to reach by clicking, rendered with made-up contexts at /specimen/NAME. For look tests only."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from idp import urls
from idp.accounts import challenge
from idp.accounts.challenge import Task
from idp.consent import wording
from idp.console.phones import PhoneCodeForm
from idp.console.security import NameForm
from idp.mfa import qr
from idp.signin import codes
from idp.signin.forms import CodeForm, LoginForm, NewPasswordForm, NumberForm, SecondFactorForm, SignUpForm

CLIENT = SimpleNamespace(
    name="Meal Planner",
    initial="M",
    logo_uri="",
    domain="mealplanner.example",
    policy_uri="https://mealplanner.example/privacy",
    tos_uri="https://mealplanner.example/terms",
    verified=True,
)
STRANGER = SimpleNamespace(
    **{**vars(CLIENT), "name": "Free gifts " + "and more gifts " * 5, "initial": "F", "verified": False, "policy_uri": "", "tos_uri": ""}
)
ANA = {
    "name": "Ana Reyes",
    "email": "ana@example.org",
    "email_verified": True,
    "address": {"formatted": "Rua Um 1\n1000-001 Lisboa"},
}
SCOPES = ("openid", "profile", "email", "address", "meals.read", "offline_access")


def _consent(client: SimpleNamespace) -> dict[str, Any]:
    return {
        "interaction": SimpleNamespace(id="specimen", client=client),
        "items": wording.items(scopes=SCOPES, resources=["https://api.example.org/v1"], about=ANA),
        "person": "ana@example.org",
        "destination": "mealplanner.example",
    }


ERROR = {
    "title": "This sign-in cannot go on",
    "what": "The app sent an address to return to that it has not registered. Nothing was shared and you are not signed in to it.",
    "remedy": "Go back to the app and try again. If it happens again, send its makers the reference below.",
    "reference": "K7Q2-4MFP",
    "time": datetime(2026, 11, 21, 8, 55, tzinfo=UTC),
    "developer": {
        "code": "authorize.redirect_uri_unknown",
        "error": "invalid_request",
        "clause": "RFC 6749 3.1.2.4",
        "description": "redirect_uri is not one of the registered redirect URIs of this client.",
        "fix": "Register the address exactly as it is sent: manage.py client update CLIENT_ID --redirect-uri URI",
    },
    "back": {"label": "Back to Meal Planner", "url": "https://mealplanner.example/"},
}
APPS = [
    SimpleNamespace(
        client_id="meals",
        client=CLIENT,
        since=datetime(2026, 5, 3, tzinfo=UTC),
        items=wording.items(scopes=("openid", "profile", "email")),
    ),
    SimpleNamespace(client_id="gifts", client=STRANGER, since=datetime(2026, 5, 4, tzinfo=UTC), items=wording.items(scopes=SCOPES)),
]
PHONE_FORM = SignUpForm(by_phone=True, terms=True)
CODE: dict[str, Any] = {
    "form": CodeForm(),
    "address": "ana@example.org",
    "has_code": True,
    "minutes": 15,
    "can_resend": True,
    "again_url": "/login?switch=1",
}
CONSOLE = {"section": "security", "person": "Ana Reyes"}
DUE = datetime(2026, 11, 23, 8, tzinfo=UTC)
SHEET = [f"ABCD{number}-EFGHJ" for number in range(10)]
THERE = SimpleNamespace(label="Example Login", name="example")
LINK = {"upstream": THERE, "theirs": "ana@work.example", "person": "ana@example.org", "sign_in_url": "/login", "other_url": "/login"}
HELD = SimpleNamespace(pk=1, name="Laptop", disabled_at=DUE)
SECOND = {"form": SecondFactorForm(), "takes_codes": True, "switch_url": "/login"}
SPECIMENS: dict[str, tuple[str, dict[str, Any]]] = {
    "second-factor-phone": ("signin/second_factor.html", {**SECOND, "phones": [(1, "+49 … 89")], "trust_days": 30, "lost_url": "/login"}),
    "second-factor-mail": (
        "signin/second_factor.html",
        {**SECOND, "by_mail": True, "mailbox": "a…@example.org", "notice": "On its way.", "notice_kind": "ok"},
    ),
    "lost-factor": ("signin/lost_factor.html", {"form": CodeForm(), "mailbox": "a…@example.org", "back_url": "/login"}),
    "lost-factor-waits": (
        "signin/lost_factor.html",
        {"form": CodeForm(), "due": datetime(2026, 11, 23, 8, tzinfo=UTC), "back_url": "/login"},
    ),
    "second-factor-passkey": (
        "signin/second_factor.html",
        {**SECOND, "has_keys": True, "has_apps": True, "has_codes": True, "client": CLIENT, "stepping_up": True},
    ),
    "enrol": (
        "signin/enrol.html",
        {
            "form": CodeForm(),
            "possible": True,
            "app_does": True,
            "phone_url": "/login/enrol/phone",
            "drawing": qr.svg("otpauth://totp/specimen"),
            "manual_key": "ABCD EFGH IJKL MNOP",
            "uri": "otpauth://totp/specimen",
            "days": 3,
            "switch_url": "/login",
        },
    ),
    "enrol-phone": ("signin/enrol_phone.html", {"form": NumberForm(), "client": CLIENT, "back_url": "/login"}),
    "enrol-phone-code": (
        "signin/enrol_phone.html",
        {"form": CodeForm(), "number": "+49 1512 3456789", "notice": "Sent.", "notice_kind": "ok", "other_url": "/x", "back_url": "/x"},
    ),
    "enrolled": ("signin/enrolled.html", {"codes": SHEET, "added": "+49 … 89", "client": CLIENT}),
    "longer-password": ("signin/longer_password.html", {"form": NewPasswordForm(), "person": "ana@example.org", "switch_url": "/login"}),
    "passkey-offer": ("signin/passkey_offer.html", {"client": CLIENT}),
    "signup-passkey": ("signin/signup_passkey.html", {"forgot_url": "/password/forgot"}),
    "signup-passkey-refused": ("signin/signup_passkey.html", {"forgot_url": "/password/forgot", "refusal": "It was not accepted."}),
    "password-reset": (
        "signin/password_reset.html",
        {"form": NewPasswordForm(), "person": "ana@example.org", "password_hint": "15 or more."},
    ),
    "verify": ("signin/verify.html", {**CODE, "step": codes.SIGN_UP, "client": CLIENT}),
    "link-sign-in": ("signin/link.html", {**LINK, "state": "sign_in", "known": True}),
    "link-other": ("signin/link.html", {**LINK, "state": "other"}),
    "link-confirm": ("signin/link.html", {**LINK, "state": "confirm"}),
    "upstream-leaving": ("signin/leaving.html", {"upstream": THERE, "url": "https://login.example/"}),
    "upstream-failed": ("signin/upstream_failed.html", {"text": "It does not answer.", "upstream": THERE, "back_url": "/login"}),
    "authenticator": ("console/authenticator.html", {**CONSOLE, "device": HELD, "form": NameForm(), "last": True}),
    "passkey": ("console/passkey.html", {**CONSOLE, "key": HELD, "form": NameForm(), "last": True}),
    "passkey-last-way-in": ("console/passkey.html", {**CONSOLE, "key": HELD, "form": NameForm(), "last_way_in": True}),
    "recovery-codes": ("console/recovery_codes.html", {**CONSOLE, "codes": SHEET, "added": "Phone"}),
    "recovery-codes-again": ("console/recovery_codes.html", {**CONSOLE, "codes_left": 3}),
    "receipt": ("console/receipt.html", {"section": "apps", "person": "Ana Reyes", "app": APPS[1], "download_url": "/x"}),
    "keep-factors": ("console/keep_factors.html", {"state": "ask", "due": DUE}),
    "keep-factors-done": ("console/keep_factors.html", {"state": "done"}),
    "keep-factors-gone": ("console/keep_factors.html", {"state": "gone"}),
    "undo": ("console/address_undo.html", {"state": "ask", "former": "ana@example.org", "address": "eve@example.org"}),
    "undo-done": ("console/address_undo.html", {"state": "done", "has_mail": True}),
    "undo-gone": ("console/address_undo.html", {"state": "gone"}),
    "leaving-asked": ("console/leaving.html", {"state": "asked", "due": DUE, "grace": 14}),
    "leaving-ask": ("console/leaving.html", {"state": "ask", "due": DUE}),
    "leaving-kept": ("console/leaving.html", {"state": "kept"}),
    "leaving-gone": ("console/leaving.html", {"state": "gone"}),
    "secured": ("console/secured.html", {"has_mail": True}),
    "enrol-nothing": ("signin/enrol.html", {"form": CodeForm(), "days": 3, "switch_url": "/login"}),
    "add-phone": ("console/add_phone.html", {**CONSOLE, "form": NumberForm()}),
    "confirm-phone": ("console/confirm_phone.html", {**CONSOLE, "form": PhoneCodeForm(), "number": "+49 1512 3456789"}),
    "remove-phone": ("console/phone.html", {**CONSOLE, "number": "+49 1512 3456789", "last": True}),
    "consent": ("consent/consent.html", _consent(CLIENT)),
    "consent-unverified": ("consent/consent.html", _consent(STRANGER)),
    "error": ("oidc/error.html", {**ERROR, "client": CLIENT}),
    "error-bare": ("oidc/error.html", {}),
    "form-post": ("oidc/form_post.html", {"action": "/specimen/logged-out", "fields": [("code", "c"), ("state", "s")]}),
    "logout": ("oidc/logout_confirm.html", {"client": CLIENT, "person": "ana@example.org"}),
    "logged-out": ("oidc/logged_out.html", {}),
    "logged-out-back": ("oidc/logged_out.html", {"back": {"label": "Back to Meal Planner", "url": "https://mealplanner.example/"}}),
    "signing-out": ("oidc/logout_frames.html", {"frames": [], "then": "/logout/done"}),
    "apps": ("console/apps.html", {"section": "apps", "person": "Ana Reyes", "apps": APPS}),
    "apps-none": ("console/apps.html", {"section": "apps", "person": "Ana Reyes", "apps": []}),
    "400": ("400.html", {}),
    "403": ("403.html", {}),
    "form-failed": ("signin/form_failed.html", {"restart_url": "/login"}),
    "throttled": ("signin/throttled.html", {"wait": "2 minutes", "back_url": "/login"}),
    "disabled": ("signin/disabled.html", {}),
    "signup-closed": ("signin/signup_closed.html", {"login_url": "/login"}),
    "signup-invited-only": ("signin/signup_closed.html", {"by_invitation": True, "switch_url": "/login"}),
    "signup-phone": (
        "signin/signup.html",
        {
            "client": CLIENT,
            "form": PHONE_FORM,
            "address": PHONE_FORM["phone"],
            "by_phone": True,
            "other_url": "/signup?with=email",
            "terms_url": "https://example.org/terms",
            "switch_url": "/login",
        },
    ),
    "code-phone": ("signin/verify.html", {**CODE, "step": codes.SIGN_IN, "by_phone": True, "address": "+49 1512 3456789"}),
    "code-recovery": ("signin/verify.html", {**CODE, "step": codes.RECOVERY, "minutes": 60, "early": True, "resend_in": "40 seconds"}),
    "code-link-only": ("signin/verify.html", {**CODE, "step": codes.SIGN_IN, "has_code": False}),
    "link-elsewhere": ("signin/link_elsewhere.html", {"switch_url": "/login"}),
    "link-opened": ("signin/link_opened.html", {"client": CLIENT, "address": "ana@example.org", "switch_url": "/login"}),
    "terms": ("signin/terms.html", {"client": CLIENT, "terms_version": "2026-11", "terms_url": "https://example.org/terms"}),
    "login-identifier": ("signin/login.html", {"form": LoginForm(), "takes_password": True, "sends_codes": True, "switch_url": "/login"}),
    "login-challenge": (
        "signin/login.html",
        {
            "form": LoginForm(),
            "takes_password": True,
            "asks_password": True,
            "sends_codes": True,
            "task": Task("token", 4, 20),
            "forgot_url": "/x",
        },
    ),
    "link-gone": ("signin/password_link_gone.html", {}),
    "no-password": ("signin/password_none.html", {"person": "ana@example.org"}),
    "choose-account": ("signin/choose_account.html", {"client": CLIENT, "person": "ana@example.org", "switch_url": "/login"}),
    "404": ("404.html", {}),
    "500": ("500.html", {}),
    "503": ("503.html", {}),
}
WITHOUT_REQUEST = ("500", "503")  # must render when nothing works any more


@csrf_exempt  # where an answer by form_post arrives stands for an app, which takes a form of another site
def specimen(request: HttpRequest, name: str) -> HttpResponse:
    if name not in SPECIMENS:
        raise Http404
    template, context = SPECIMENS[name]
    if name in WITHOUT_REQUEST:
        return HttpResponse(render_to_string(template))
    return render(request, template, context)


def work_after(_request: HttpRequest, failures: int) -> HttpResponse:
    """After so many wrong passwords the browser has to compute."""
    challenge.PER_NETWORK = failures
    return HttpResponse(status=204)


urlpatterns = [path("specimen/work-after/<int:failures>", work_after), path("specimen/<str:name>", specimen), *urls.urlpatterns]
