"""What each page of people costs: at most twelve statements, however much there is to show, and sixty kilobytes on the wire."""

from __future__ import annotations

# ruff: noqa: F811  (the names of fixtures)
import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idp.accounts import address_change, profile
from idp.accounts.address_change import Kind
from idp.accounts.models import User
from idp.console import export
from idp.kernel import generations
from idp.mfa import factors
from idp.mfa.models import Phone
from idp.notifications import delivery
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD
from tests.support.security_key import add_key
from tests.support.world import World, ada, shop, signing_keys  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)
MOST_STATEMENTS = 12
MOST_BYTES = 60 * 1024
STATIC = Path(__file__).parents[2] / "static"
CONTROL = re.compile(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE)
SIGNED_IN = (
    "/account", "/account/profile", "/account/apps", "/account/apps/receipt?client_id={client}", "/account/sessions", "/account/activity",
    "/account/activity/not-me", "/account/data", "/account/data/download/html", "/account/data/download/json", "/account/delete",
    "/account/address/email", "/account/address/phone", "/account/security", "/account/password", "/account/linked",
)  # fmt: skip
ANYBODY = ("/login", "/signup", "/password/forgot", "/account/keep", "/account/address/undo", "/brand/0a7f3f-4.css")


@pytest.fixture
def world(signing_keys):
    yield World("views", settings.IDP.issuer)
    generations.forget()


@pytest.fixture
def here(world, ada, shop):
    """A full account: six apps, of which three by consent, and four browsers."""
    for number in range(3):
        shop.tokens(world.browser(), scope="openid profile email offline_access")
        world.app(f"House {number}", first_party=True).tokens(world.browser(), scope="openid offline_access")
    browser = world.browser()
    for number in range(3):
        world.app(f"App {number}").tokens(browser, scope="openid profile offline_access")
    profile.change(User.objects.get(pk=ada.pk), {"name": "Ada", "allergies": ["nuts"], "address": {"locality": "London"}}, role="person")
    address_change.begin(User.objects.get(pk=ada.pk), kind=Kind.PHONE, address="+351 912 345 678")
    export.ask(ada)
    delivery.deliver_due()
    return browser


def statements(browser, path):
    browser.get(path)  # what is loaded once per process is no price of the page
    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(path)
    ours = [query["sql"] for query in captured.captured_queries if not CONTROL.match(query["sql"].lstrip())]
    return answer, [sql for sql in ours if "kernel_generation" not in sql]


def test_no_page_costs_more_than_twelve_statements(here, world, shop):
    dear = {}
    for path in SIGNED_IN:
        answer, ours = statements(here, path.format(client=shop.client_id))
        assert answer.status == 200, path
        if len(ours) > MOST_STATEMENTS:
            dear[path] = ours
    stranger = world.browser()
    for path in ANYBODY:
        _answer, ours = statements(stranger, path)
        if len(ours) > MOST_STATEMENTS:
            dear[path] = ours
    assert dear == {}


@pytest.fixture
def full(world, ada, monkeypatch):
    """Everything that an account can hold beside its password: apps, keys, phones, recovery codes, trusted browsers."""
    values = {"sms_codes": True, "trusted_browser_days": 30, "lost_factor_hours": 24, "enrolment_grace_days": 0}
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))
    person = User.objects.get(pk=ada.pk)
    apps = [enrol(person, name=f"App {number}") for number in range(factors.MOST)]
    for number in range(factors.MOST):
        add_key(person, name=f"Key {number}")
        Phone(user=person, name="", number=f"+49151234567{number}0").save()
    factors.make_codes(person, request=type("Request", (), {"session": None})())
    return person, apps


def test_nor_does_one_in_the_middle_of_a_sign_in(full):
    """With five of each kind, and whatever waits."""
    person, apps = full
    dear = {}

    def look(browser, path):
        browser.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(path).status_code == 200, path
        ours = [query["sql"] for query in captured.captured_queries if not CONTROL.match(query["sql"].lstrip())]
        ours = [sql for sql in ours if "kernel_generation" not in sql]
        if len(ours) > MOST_STATEMENTS:
            dear[path] = ours

    browser = Client()
    browser.post("/login", {"login": person.email, "password": PASSWORD})
    look(browser, "/login/second-factor")
    look(browser, "/login/lost-factor")
    browser.post("/login/second-factor", {"code": apps[0].code(), "trust": "1"})
    # Room for another one of each kind, whose pages are looked at too.
    browser.post(f"/account/security/authenticator/{factors.of_person(person)[-1].pk}", {"decision": "remove"})
    browser.post(f"/account/security/phone/{factors.phones_of(person)[-1].pk}", {"decision": "remove"})
    device, key, phone = factors.of_person(person)[0], factors.keys_of(person)[0], factors.phones_of(person)[0]
    paths = (
        "",
        "/authenticator",
        f"/authenticator/{device.pk}",
        "/passkey",
        f"/passkey/{key.pk}",
        "/recovery-codes",
        "/phone",
        f"/phone/{phone.pk}",
    )
    for path in paths:
        look(browser, f"/account/security{path}")
    assert dear == {}


def test_nor_where_something_must_be_set_up(world, ada, monkeypatch):
    values = {"sms_codes": True, "min_acr": "urn:kairos:acr:mfa", "enrolment_grace_days": 3, "terms_version": "2026-11"}
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))
    browser = Client()
    browser.post("/login", {"login": ada.email, "password": PASSWORD})
    for path in ("/login/enrol", "/login/enrol/phone"):
        browser.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(path).status_code == 200
        ours = [query["sql"] for query in captured.captured_queries if not CONTROL.match(query["sql"].lstrip())]
        assert len([sql for sql in ours if "kernel_generation" not in sql]) <= MOST_STATEMENTS, ours


def test_no_page_weighs_more_than_sixty_kilobytes(here, world, shop):
    heavy = {}
    for browser, paths in ((here, SIGNED_IN), (world.browser(), ANYBODY)):
        for path in paths:
            if "download" in path:
                continue
            page = browser.get(path.format(client=shop.client_id))
            files = [STATIC / name for name in re.findall(r'(?:href|src)="/static/([^"]+\.(?:css|js))"', page.text)]
            sheets = [browser.get(name).body for name in re.findall(r'href="(/brand/[^"]+\.css)"', page.text)]
            weight = sum(len(gzip.compress(content)) for content in [page.body, *sheets, *(file.read_bytes() for file in files)])
            if weight > MOST_BYTES:
                heavy[path] = weight
    assert heavy == {}
