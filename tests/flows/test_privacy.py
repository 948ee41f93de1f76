"""A person takes their data along, leaves, changes their mind, and is gone without a trace."""

from __future__ import annotations

# ruff: noqa: F811  (the names of fixtures)
import json
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection

from idp.accounts import address_change, erasure, people, profile
from idp.accounts.address_change import Kind
from idp.accounts.models import AddressProof, Tombstone, User
from idp.console import export
from idp.console.models import DataExport
from idp.events.models import Delivery, EventRecord
from idp.kernel import clock, generations
from idp.notifications import cleaning, delivery
from tests.support.clauses import clause
from tests.support.mailbox import mails
from tests.support.world import World, ada, shop, signing_keys  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary7f3"
EMAIL = f"{CANARY}@example.org"


@pytest.fixture
def world(signing_keys):
    yield World("views", settings.IDP.issuer)
    generations.forget()


@pytest.fixture
def here(world, ada, shop):
    browser = world.browser()
    shop.tokens(browser, scope="openid profile email offline_access")
    return browser


def prepared(browser):
    """The page after the worker has prepared the file."""
    page = browser.get("/account/data")
    asked = browser.follow(browser.submit(page, button="export-submit"))
    assert "being prepared" in asked.text
    delivery.deliver_due()
    return browser.get("/account/data")


def test_the_file_is_prepared_by_a_worker_sealed_and_holds_everything(here, ada):
    profile.change(ada, {"name": "Ada <b>", "allergies": ["nuts"]}, role="person")
    page = prepared(here)
    assert 'id="export-ready"' in page.text
    row = DataExport.objects.get()
    assert "nuts" not in row.content
    answer = here.get("/account/data/download/json")
    assert "attachment" in answer.header("Content-Disposition")
    document = json.loads(answer.text)
    assert document["sub"] == str(ada.pk)
    parts = document["parts"]
    assert parts["Profile"] == {"name": "Ada <b>", "allergies": ["nuts"]}
    assert parts["Account"]["email"] == "ada@example.org"
    assert parts["Apps"]["consents"][0]["name"] == "Shop"
    assert len(parts["Sessions"]) == 1
    assert {"Sign-in", "You gave an app access"} <= {line["what"] for line in parts["Activity"]}
    html = here.get("/account/data/download/html").text
    assert "nuts" in html
    assert "Ada &lt;b&gt;" in html
    assert "<h2>Activity</h2>" in html
    assert Delivery.objects.filter(receiver="mail").count() == 1  # that it is ready
    assert EventRecord.objects.filter(name="account.export_downloaded").count() == 2


def test_the_file_is_gone_after_a_day_and_asked_for_once(here, ada):
    prepared(here)
    export.ask(ada)
    assert DataExport.objects.count() == 1
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=False):
        assert cleaning.clean_up()["idp.console.export.delete_expired"] == 1


@clause("TK-19")
def test_nobody_gets_the_file_of_somebody_else(world, here, ada, shop):
    prepared(here)
    world.person("eve@example.org")
    eve = world.browser()
    shop.tokens(eve, email="eve@example.org")
    assert eve.get("/account/data/download/json").location == "/account/data"


@clause("BR-06")
@pytest.mark.parametrize("path", ["/account/data/download/json", "/account/delete", "/account/address/email"])
def test_sensitive_pages_want_a_recent_proof(here, ada, path):
    with time_machine.travel(clock.now() + timedelta(minutes=6), tick=False):
        assert here.get(path).location.startswith("/login?again=1")
        assert here.post(path, {"csrfmiddlewaretoken": "x"}).status == 403
        assert User.objects.get(pk=ada.pk).is_active


def test_a_protected_action_renews_the_window_for_a_while(here, ada):
    begun = clock.now()
    for minutes, open_still in ((4, True), (8, True), (12, True), (16, False)):
        with time_machine.travel(begun + timedelta(minutes=minutes), tick=False):
            page = here.get("/account/address/email")
            assert (page.status == 200) is open_still
            if open_still:
                here.submit(page, button="address-send", address=f"new{minutes}@example.org")
                here.submit(here.get("/account/address/email"), button="address-cancel")


def test_deletion_ends_everything_at_once_and_can_be_taken_back_by_mail(world, here, ada, shop):
    told = world.app("Told", backchannel_logout_uri="https://told.example/logout", first_party=True)
    tokens = told.tokens(here, scope="openid offline_access")
    page = here.get("/account/delete")
    assert here.submit(page, button="").status == 400  # without the tick
    answer = here.submit(page, button="delete-submit", sure="yes")
    assert 'id="leaving-asked"' in answer.text
    assert "/login" in here.get("/account").location
    assert told.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert told.userinfo(tokens["access_token"]).status == 401
    assert Delivery.objects.filter(receiver="backchannel_logout").count() == 1
    [link] = [link for mail in mails("ada@example.org") for link in mail.links if "/account/keep" in link]
    elsewhere = world.browser()
    moved = elsewhere.get(link.removeprefix(settings.IDP.issuer))
    assert "token" not in moved.location  # EM-16
    for _ in range(3):
        assert 'id="leaving-ask"' in elsewhere.get("/account/keep").text  # EM-01: opening does nothing
    assert not User.objects.get(pk=ada.pk).is_active
    kept = elsewhere.submit(elsewhere.get("/account/keep"), button="keep-submit")
    assert 'id="leaving-kept"' in kept.text
    assert User.objects.get(pk=ada.pk).is_active
    assert User.objects.get(pk=ada.pk).erase_at is None
    elsewhere.get(link.removeprefix(settings.IDP.issuer))
    assert 'id="error-page"' in elsewhere.get("/account/keep").text
    assert erasure.erase_due() == 0


def test_who_signs_in_before_the_day_may_stay(world, ada):
    erasure.ask(ada)
    browser = world.browser()
    page = browser.visit("/login")
    wrong = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password="not the password"))
    assert "keep" not in wrong.text
    page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password="correct horse battery staple"))
    assert 'id="leaving-ask"' in page.text
    assert "/login" in browser.get("/account").location  # it lets nobody in
    assert 'id="leaving-kept"' in browser.submit(page, button="keep-submit").text
    assert User.objects.get(pk=ada.pk).is_active


def test_after_the_grace_period_the_account_is_erased(ada):
    erasure.ask(ada)
    with time_machine.travel(clock.now() + timedelta(days=13), tick=False):
        assert erasure.erase_due() == 0
        assert erasure.person_of(erasure.keep_token(ada)) == ada
    with time_machine.travel(clock.now() + timedelta(days=15), tick=False):
        assert erasure.person_of(erasure.keep_token(ada)) is None
        assert not erasure.keep(ada)
        assert cleaning.clean_up()["idp.accounts.erasure.erase_due"] == 1
    assert not User.objects.filter(pk=ada.pk).exists()
    assert Tombstone.objects.filter(pk=ada.pk).exists()
    with pytest.raises(people.AddressTaken):  # an import cannot bring the identifier back
        people.create(email="other@example.org", method="import", person_id=ada.pk)
    last = EventRecord.objects.filter(name="account.erased").get()
    assert last.person == ada.pk


def dump():
    """Every cell of every table, as text and as bytes."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows = [
                [bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell) for cell in row] for row in cursor
            ]
            found[table] = "\n".join("\t".join(row) for row in rows)
    return found


@clause("RC-23", "EV-10")
def test_nothing_is_left_of_a_canary_in_a_dump_of_the_database(world, shop):
    """RC-23: rows, outbox bodies, log and its address and device; the `sub` stays as tombstone and on the last event."""
    agent = f"Mozilla/5.0 ({CANARY}) Firefox/140"
    user = world.person(EMAIL, claims={"name": f"Name {CANARY}", "nickname": CANARY})
    profile.change(user, {"allergies": [CANARY], "address": {"locality": CANARY}, "website": f"https://{CANARY}.example/"}, role="person")
    browser = world.browser(ip="203.0.113.77")
    original = browser.request
    browser.request = lambda method, url, headers=None, **more: original(
        method, url, headers={"User-Agent": agent, **(headers or {})}, **more
    )
    shop.tokens(browser, email=EMAIL, scope="openid profile email offline_access")
    browser.submit(browser.get("/login?again=1&next=/account/delete"), button="login-submit", password="wrong")
    address_change.begin(user, kind=Kind.EMAIL, address=f"new-{CANARY}@example.org")
    prepared(browser)
    shop.ask(world.browser(), login_hint=EMAIL)
    AddressProof.objects.create(purpose="sign_up", address=EMAIL, code=b"x", expires_at=clock.now() + timedelta(minutes=5))
    people.sign_out_everywhere(user)
    before = dump()
    assert any(CANARY in text for text in before.values())
    assert any("203.0.113.77" in text for text in before.values())

    erasure.erase(User.objects.get(pk=user.pk))

    after = dump()
    for table, text in after.items():
        assert CANARY not in text, table
        assert "203.0.113.77" not in text, table
    left = {table for table, text in after.items() if str(user.pk) in text or user.pk.hex in text}
    assert left <= {"accounts_tombstone", "events_eventrecord", "events_personsequence", "events_delivery", "events_lane"}
    assert [event.name for event in EventRecord.objects.filter(person=user.pk)] == ["account.erased"]
    opened = [mail for mail in mails() if CANARY in repr(mail)]
    assert opened == []
