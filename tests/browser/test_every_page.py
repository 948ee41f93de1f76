"""No page without a look: every address of the site is visited here, shown as a specimen, or no page, and a new one is missed by name.

Each page is looked at by axe-core in both modes, at 400 % zoom, by keyboard alone, and without JavaScript (PAGES.md); the browser
complains about none: the Content-Security-Policy refuses nothing, no file is missing, no script fails.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from .conftest import PASSWORD, Complaints, Provider, faults_in, faults_in_both_modes, overflow, walk, with_axe
from .specimens import SPECIMENS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Visit = Callable[..., "Page"]
APP = "Larder"
OWNER, STAFF = "every.page@example.org", "every.page.staff@example.org"
# Route -> what to open. As it is for a stranger …
STRANGER = {
    "login": "/login",
    "login/disabled": "/login/disabled",
    "login/code": "/login/code",
    "signup": "/signup",
    "signup/verify": "/signup/verify",
    "password/forgot": "/password/forgot",
    "password/forgot/sent": "/password/forgot/sent",
    "password/reset": "/password/reset",
    "account/address/undo": "/account/address/undo",
    "account/keep": "/account/keep",
    "account/security/keep": "/account/security/keep",
    "authorize": "/authorize",
    "authorize/resume": "/authorize/resume?interaction=gone",
    "logout/done": "/logout/done",
    "playground/": "/playground/",
    "dev/inbox": f"/dev/inbox?to={OWNER}",  # of one person: other tests of the process sent hundreds
}
# … for somebody who has just signed in …
PERSON = {
    "account": "/account",
    "account/profile": "/account/profile",
    "account/password": "/account/password",
    "account/address/<str:word>": "/account/address/email",
    "account/apps": "/account/apps",
    "account/data": "/account/data",
    "account/delete": "/account/delete",
    "account/activity": "/account/activity",
    "account/activity/not-me": "/account/activity/not-me",
    "account/sessions": "/account/sessions",
    "account/linked": "/account/linked",
    "account/security": "/account/security",
    "account/security/authenticator": "/account/security/authenticator",
    "account/security/passkey": "/account/security/passkey",
    "logout": "/logout",
}
# … and for staff; `*` is the first row of its list.
_LISTS = (
    "oidc/client", "accounts/user", "access/group", "idp_mfa/resetrequest", "federation/upstreamrow", "events/eventrecord",
    "oidc/refusedrequest", "events/delivery", "notifications/webhook", "ssf/stream", "oidc/signingkey",
)  # fmt: skip
_ACTIONS = {
    "oidc/client": ("", "secret/", "switch/", "delete/"),
    "accounts/user": ("", "switch/", "sign-out/", "reset/"),
    "access/group": ("", "edit/", "people/", "delete/"),
    "idp_mfa/resetrequest": ("", "decide/"),
    "federation/upstreamrow": ("", "test/", "delete/"),
    "events/eventrecord": ("", "send/"),
    "oidc/refusedrequest": ("",),
    "events/delivery": ("",),
    "notifications/webhook": ("", "edit/", "key/", "delete/"),
    "ssf/stream": ("", "delete/"),
}
STAFF_PAGES = (
    {"staff/": "/staff/"}
    | {f"staff/{name}/": f"/staff/{name}/" for name in _LISTS}
    | {f"staff/{name}/add/": f"/staff/{name}/add/" for name in ("oidc/client", "access/group", "federation/upstreamrow", "notifications/webhook")}
    | {f"staff/{name}/<str:object_id>/{action}": f"/staff/{name}/*{action}" for name, actions in _ACTIONS.items() for action in actions}
    | {"staff/oidc/signingkey/rotate/": "/staff/oidc/signingkey/rotate/", "staff/events/delivery/retry-dead/": "/staff/events/delivery/retry-dead/"}
)  # fmt: skip
# A page that has several faces: the others of them.
FACES = (
    ("staff", "staff/oidc/client/add/", "/staff/oidc/client/add/?kind=web"),
    ("staff", "staff/events/delivery/", "/staff/events/delivery/?state=dead"),
)
# Pages in the middle of something: what they look like in each of their states (specimens.py). The ways there are told by the stories.
SHOWN = {
    "login/second-factor": ("second-factor-phone", "second-factor-mail", "second-factor-passkey"),
    "login/enrol": ("enrol", "enrol-nothing", "enrolled"),
    "login/enrol/phone": ("enrol-phone", "enrol-phone-code"),
    "login/passkey-offer": ("passkey-offer",),
    "login/lost-factor": ("lost-factor", "lost-factor-waits"),
    "login/longer-password": ("longer-password",),
    "login/terms": ("terms",),
    "login/link": ("link-sign-in", "link-other", "link-confirm"),
    "federation/<slug:name>/start": ("upstream-leaving", "upstream-failed"),
    "federation/<slug:name>/callback": ("upstream-failed",),
    "signup/passkey": ("signup-passkey", "signup-passkey-refused"),
    "consent": ("consent", "consent-unverified"),
    "account/apps/receipt": ("receipt",),
    "account/security/authenticator/<int:number>": ("authenticator",),
    "account/security/passkey/<int:number>": ("passkey", "passkey-last-way-in"),
    "account/security/phone": ("add-phone",),
    "account/security/phone/confirm": ("confirm-phone",),
    "account/security/phone/<int:number>": ("remove-phone",),
    "account/security/recovery-codes": ("recovery-codes", "recovery-codes-again"),
    "logout/confirm": ("logout", "signing-out", "logged-out"),
    "logout/upstream": ("logged-out",),
    "staff/oidc/signingkey/<str:object_id>/retire/": (),  # only for a key that was replaced; the form of staff/oidc/signingkey/rotate/
}
# Answers for programs, files, and addresses that only take a form or lead on.
NO_PAGE = {
    ".well-known/openid-configuration", ".well-known/oauth-authorization-server", ".well-known/ssf-configuration", ".well-known/webauthn",
    ".well-known/passkey-endpoints", ".well-known/change-password", "jwks", "token", "userinfo", "introspect", "revoke", "register",
    "register/<str:client_id>", "client-logo/<str:digest>", "session/check", "ssf/streams", "ssf/streams/<str:stream_id>/poll",
    "ssf/status", "ssf/subjects/add", "ssf/subjects/remove", "ssf/verify", "api/v1/events", "livez", "readyz", "brand/logo",
    "brand/<str:name>.css", "favicon.ico", "language", "", "playground", "playground/start", "playground/callback", "playground/act",
    "dev/inbox.json", "dev/inbox/<str:mail_id>.html", "login/passkey", "login/passkey/options", "login/second-factor/passkey",
    "login/second-factor/passkey/options", "login/enrol/passkey", "login/enrol/passkey/options", "login/code/resend",
    "signup/verify/resend", "password/forgot/sent/resend", "federation/<slug:name>/nonce", "federation/<slug:name>/token",
    "account/data/export", "account/data/download/<str:form>", "account/security/browsers", "account/security/passkey/options",
    "staff/(?P<url>.*)$", "staff/events/delivery/<str:object_id>/retry/", "staff/events/delivery/<str:object_id>/skip/",
    "staff/notifications/webhook/<str:object_id>/switch/", "staff/ssf/stream/<str:object_id>/status/",
}  # fmt: skip


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every address of the site, as its pattern says it."""
    for one in (resolver or get_resolver("idp.urls")).url_patterns:
        here = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one, here)
        elif isinstance(one, URLPattern):
            yield here


def test_every_address_is_looked_at_somewhere() -> None:
    files = {route for route in routes() if route.endswith(("/csv", "/json"))}
    sections = {route for route in routes() if "(?P<app_label>" in route}  # Django's, answered with the start page
    tables = (set(STRANGER), set(PERSON), set(STAFF_PAGES), set(SHOWN), NO_PAGE, files, sections)
    known = set[str]().union(*tables)
    assert sorted(set(routes()) - known) == [], "new: look at it"
    assert sorted(known - set(routes())) == [], "gone"
    assert sum(len(table) for table in tables) == len(known), "in one place each"
    assert {name for names in SHOWN.values() for name in names} <= SPECIMENS.keys()


# Objects that only happen, or that need another provider.
OBJECTS = """
from django.utils import timezone
from idp.access import groups
from idp.accounts.models import User
from idp.federation.models import UpstreamRow
from idp.mfa.models import ResetRequest
from idp.notifications.models import Webhook
from idp.ssf.models import Stream
groups.create(name="vault", description="Those of the vault")
UpstreamRow.objects.create(name="specimen", label="Specimen", issuer="https://login.example", client_id="kairos", enabled=False)
ResetRequest.objects.create(user=User.objects.get(email="OWNER"), source="person", due_at=timezone.now())
Stream.objects.create(client_id="CLIENT", description="a receiver")
Webhook.objects.create(name="Warehouse", url="https://hooks.example/", events="account.*", keys="", enabled=False)
"""


class Look:
    """One person's browser with and without script; signed in anew before five minutes are over. One page each: a context costs more than a look."""

    def __init__(self, chromium: Browser, provider: Provider, email: str) -> None:
        self.email = email
        self.since = 0.0
        self.contexts = {
            script: chromium.new_context(base_url=provider.url, java_script_enabled=script, viewport={"width": 960, "height": 800})
            for script in (True, False)
        }
        self.pages = {script: context.new_page() for script, context in self.contexts.items()}
        with_axe(self.pages[True])
        self.rows: dict[str, str] = {}
        self.complaints = Complaints()
        for page in self.pages.values():
            page.set_default_timeout(30_000)
            self.complaints.watch(page)

    def open(self, address: str, *, javascript: bool = True) -> tuple[Page, int]:
        page = self.pages[javascript]
        if not self.email:
            self.contexts[javascript].clear_cookies()
        elif time.monotonic() - self.since > 200:
            self.sign_in()
        if "*" in address:
            above, _, action = address.partition("*")
            address = self.row(page, above) + action
        self.complaints.clear()
        answer = page.goto(address)
        assert answer is not None
        return page, answer.status

    def row(self, page: Page, above: str) -> str:
        """The address of the first row of a list: of the same one whenever it is asked for."""
        if above not in self.rows:
            page.goto(f"{above}?q={APP}" if above == "/staff/oidc/client/" else above)  # the app that has a secret
            self.rows[above] = (page.locator(f"tbody a[href^='{above}']").first.get_attribute("href") or "").partition("?")[0]
        return self.rows[above]

    def sign_in(self) -> None:
        page, context = self.pages[True], self.contexts[True]
        context.clear_cookies()
        page.goto("/login")
        page.fill("#id_login", self.email)
        page.fill("#id_password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_url("**/account")
        self.contexts[False].clear_cookies()
        self.contexts[False].add_cookies(context.cookies())  # type: ignore[arg-type]  # what comes out of one browser goes into the other
        self.since = time.monotonic()


@pytest.fixture(scope="module")
def looks(chromium: Browser, provider: Provider) -> Iterator[dict[str, Look]]:
    """A stranger, the owner of an account, and staff with something in each list."""
    for email in (OWNER, STAFF):
        provider.person(email)
    provider.served.manage("staff", "grant", STAFF)
    client = provider.served.add_client(APP, type="web", redirect_uri="https://meals.example/cb")
    code = OBJECTS.replace("OWNER", OWNER).replace("CLIENT", client["client_id"])
    served = provider.served
    subprocess.run(
        [served.python, "manage.py", "shell", "-c", code], cwd=served.root, env=served.environment, check=True, capture_output=True
    )
    page = chromium.new_page(base_url=provider.url)
    page.goto("/password/forgot")  # a mail, so that there is a delivery
    page.fill("#id_email", OWNER)
    page.locator("main form button.button").first.click()
    page.wait_for_url("**/password/forgot/sent*")
    page.goto(f"/authorize?client_id={client['client_id']}&redirect_uri=https://else.example/&response_type=code")  # a refused request
    page.close()
    found = {"stranger": Look(chromium, provider, ""), "person": Look(chromium, provider, OWNER), "staff": Look(chromium, provider, STAFF)}
    yield found
    for look in found.values():
        for context in look.contexts.values():
            context.close()


CASES = [
    *(("stranger", route, address) for route, address in STRANGER.items()),
    *(("person", route, address) for route, address in PERSON.items()),
    *(("staff", route, address) for route, address in STAFF_PAGES.items()),
    *FACES,
]


@pytest.mark.parametrize(
    ("who", "route", "address"), CASES, ids=[f"{route or 'start'} {address.partition('?')[2]}".strip() for _, route, address in CASES]
)
def test_a_page(looks: dict[str, Look], who: str, route: str, address: str) -> None:
    page, status = looks[who].open(address)
    assert status in (200, 400, 403), status
    assert "*" in address or urlsplit(page.url).path == address.partition("?")[0]  # not led elsewhere
    page.evaluate("document.querySelectorAll('tbody tr:nth-child(n + 13)').forEach((row) => row.remove())")  # the rows of a list are alike
    assert page.locator("h1").count() == 1
    assert who != "person" or not page.title().startswith("Error: ")
    assert page.locator(".button:not(.outline, .text, .danger):visible").count() <= 1
    # Staff have the widest pages: looked at light in a large window and dark in a small one, the others in both modes.
    assert (faults_in(page, "light") if who == "staff" else faults_in_both_modes(page)) == ""
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 pixels at 400 % (WCAG 1.4.10)
    assert overflow(page) == 0
    if who == "staff":
        assert faults_in(page, "dark") == ""
    page.set_viewport_size({"width": 960, "height": 800})
    walk(page)
    assert status != 200 or looks[who].complaints == []  # a refusal is a complaint of its own
    if who == "staff":  # without script: tests/browser/test_staff_console.py
        return
    page, plain = looks[who].open(address, javascript=False)
    assert plain == status
    assert page.locator("h1").is_visible()
