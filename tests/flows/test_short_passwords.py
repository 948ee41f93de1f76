"""Eight characters are enough beside a second factor only: whoever loses the last one chooses a longer password before anything opens."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts import people
from idp.accounts.models import User
from idp.mfa import reset
from idp.mfa.models import TotpDevice
from idp.sessions.models import BrowserSession
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
PAGE, SHORT, LONG = "/login/longer-password", "Qx7!pluvial", "an entirely new pass phrase"


@pytest.fixture
def app(person):
    return enrol(person)


@pytest.fixture
def short(person, app, monkeypatch):
    """The browser of Ada, who has an app and a password of eleven characters."""
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"password_min_length_with_second_factor": 8}))
    browser = Client()
    browser.post("/login", {"login": person.email, "password": PASSWORD})
    browser.post("/login/second-factor", {"code": app.code()})
    assert browser.post("/account/password", {"current": PASSWORD, "password": SHORT})["Location"] == "/account/password?done=1"
    return browser


def sign_in(client, text=SHORT, **more):
    return client.post("/login", {"login": "ada@example.org", "password": text, **more})


def is_signed_in(client) -> bool:
    return client.get("/account").status_code == 200


def test_with_the_factor_nobody_is_asked(short, app, client):
    TotpDevice.objects.update(last_step=-1)
    assert sign_in(client)["Location"] == "/login/second-factor"
    assert client.post("/login/second-factor", {"code": app.code()})["Location"] == "/account"
    assert client.get(PAGE)["Location"] == "/account"


@pytest.mark.parametrize("how", ["removed", "reset"])
def test_without_it_a_longer_one_comes_first(short, client, person, how):
    if how == "removed":
        page = short.get(f"/account/security/authenticator/{TotpDevice.objects.get().pk}").content.decode()
        assert "too short for that" in page
        short.post(f"/account/security/authenticator/{TotpDevice.objects.get().pk}", {"decision": "remove"})
    else:
        reset.ask(person, reason="lost", source="command")
    assert not TotpDevice.objects.exists()
    kept = {"next": "/account/apps"}
    assert sign_in(client, **kept)["Location"] == PAGE
    assert not is_signed_in(client)
    assert client.get(PAGE)["Location"] == f"{PAGE}?next=%2Faccount%2Fapps"
    assert "At least 15 characters" in client.get(PAGE, kept).content.decode()
    for weak in ("", SHORT, "another10!", "ada@example.org!!", "x" * 200):
        assert client.post(PAGE, {"password": weak, **kept}).status_code == 400
        assert not is_signed_in(client)
    assert client.post(PAGE, {"password": LONG, **kept})["Location"] == "/account/apps"
    assert is_signed_in(client)
    row = BrowserSession.objects.filter(epoch=User.objects.get().credential_epoch).exclude(sid="").get()
    assert row.amr == ["pwd"]
    assert sign_in(Client(), LONG)["Location"] == "/account"
    assert sign_in(Client()).status_code == 400
    assert not User.objects.get().short_password


def test_a_long_password_stays(person, client, monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"password_min_length_with_second_factor": 8}))
    enrol(person)
    reset.ask(person, reason="lost", source="command")
    assert sign_in(client, PASSWORD)["Location"] == "/account"


def test_a_short_one_of_an_import_is_not_meant(client):
    """Whoever came with a shorter password keeps it: the switch is about those that were set here."""
    make_person(password=SHORT)
    assert sign_in(client)["Location"] == "/account"


@pytest.mark.clause("MF-05")
def test_the_page_opens_nothing_by_itself(short, client, person):
    assert client.get(PAGE)["Location"] == "/login"
    assert client.post(PAGE, {"password": LONG})["Location"] == "/login"
    reset.ask(person, reason="lost", source="command")
    sign_in(client)
    people.set_password(User.objects.get(), "a third pass phrase of mine")
    assert client.post(PAGE, {"password": LONG})["Location"] == "/login", "the sign-in was with a former password"
    assert not is_signed_in(client)


@pytest.mark.clause("BR-09")
def test_the_next_person_in_this_browser_changes_nothing_of_the_first(short, client, person):
    reset.ask(person, reason="lost", source="command")
    sign_in(client)
    make_person(email="eve@example.org")
    client.post("/login", {"login": "eve@example.org", "password": PASSWORD})
    assert client.post(PAGE, {"password": LONG})["Location"] == "/account"
    assert User.objects.get(email="ada@example.org").check_password(SHORT)
