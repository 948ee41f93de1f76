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
from idp.console.phones import NumberForm, PhoneCodeForm
from idp.signin import codes
from idp.signin.forms import CodeForm, LoginForm, SecondFactorForm, SignUpForm

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
