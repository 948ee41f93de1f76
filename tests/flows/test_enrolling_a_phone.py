"""A phone for text messages is set up on the way into an account or an app, where policy wants a second step and messages are allowed."""

from __future__ import annotations

import time

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from idp.events.models import EventRecord
from idp.mfa.models import Phone
from idp.sessions.assurance import PHISHING_RESISTANT, TWO_FACTORS
from idp.sessions.models import BrowserSession
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.messages import messages

pytestmark = pytest.mark.django_db
ENROL, PHONE = "/login/enrol", "/login/enrol/phone"
NUMBER = "+4915123456789"


@pytest.fixture
def policy(monkeypatch):
    def change(**values):
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))

    change(min_acr=TWO_FACTORS, enrolment_grace_days=0, sms_codes=True)
    return change


def password(client, email="ada@example.org", **more):
    return client.post("/login", {"login": email, "password": PASSWORD, **more})


def is_signed_in(client) -> bool:
    return client.get("/account").status_code == 200


def test_from_the_number_to_the_app_that_waits(policy, client, person):
    kept = {"next": "/account/apps"}
    assert password(client, **kept)["Location"] == ENROL
    page = client.get(client.get(ENROL)["Location"]).content.decode()
    assert f'href="{PHONE}?next=%2Faccount%2Fapps"' in page
    page = client.get(PHONE, kept).content.decode()
    assert 'autocomplete="tel"' in page
    sent = client.post(PHONE, {"number": "+49 (151) 234567-89", **kept})
    assert sent["Location"] == f"{PHONE}?next=%2Faccount%2Fapps&done=sent"
    page = client.get(sent["Location"]).content.decode()
    assert "+49 1512 3456789" in page
    assert 'autocomplete="one-time-code"' in page
    [message] = messages(NUMBER)
    wrong = "000000" if message.code != "000000" else "000001"
    assert client.post(PHONE, {"code": wrong, **kept}).status_code == 400
    assert not is_signed_in(client)
    with time_machine.travel(time.time() + 2):
        done = client.post(PHONE, {"code": message.code, **kept})
        assert "+49 … 89" in done.content.decode()
        assert "<li>" in done.content.decode(), "recovery codes"
        assert not is_signed_in(client)
        assert client.post(ENROL, {"decision": "continue", **kept})["Location"] == "/account/apps"
    row = BrowserSession.objects.exclude(sid="").get()
    assert (row.acr, row.amr) == (TWO_FACTORS, ["pwd", "sms", "mfa"])
    assert Phone.objects.get().confirmed
    assert "added to your account" in "".join(mail.text for mail in mails(person.email))
    assert EventRecord.objects.filter(name="factor.added").count() == 1


def test_another_number_and_another_code(policy, client, person):
    with time_machine.travel(time.time(), tick=False) as clock:
        password(client)
        client.post(PHONE, {"number": NUMBER})
        assert "other=1" in client.get(PHONE).content.decode()
        assert 'autocomplete="tel"' in client.get(f"{PHONE}?other=1").content.decode()
        assert client.post(PHONE, {"send": "sms"})["Location"] == f"{PHONE}?done=too_soon"
        clock.shift(31)
        assert client.post(PHONE, {"number": "+49 151 23456780"})["Location"] == f"{PHONE}?done=sent"
        assert [phone.number for phone in Phone.objects.all()] == ["+4915123456780"]
        assert client.post(PHONE, {"code": messages(NUMBER)[-1].code}).status_code == 400, "of the former number"


@pytest.mark.parametrize("values", [{"sms_codes": False}, {"min_acr": PHISHING_RESISTANT}], ids=["not allowed here", "not enough"])
def test_where_it_would_not_do_it_is_not_there(policy, client, person, values):
    policy(**values)
    password(client)
    assert PHONE not in client.get(ENROL).content.decode()
    assert client.get(PHONE)["Location"] == ENROL
    assert client.post(PHONE, {"number": NUMBER})["Location"] == ENROL
    assert not Phone.objects.exists()


@pytest.mark.clause("MF-05", "MF-07", "MF-08")
def test_closed_to_everybody_else(policy, client, person):
    assert client.get(PHONE)["Location"] == ENROL
    assert client.post(PHONE, {"number": NUMBER})["Location"] == ENROL
    password(client)
    enrol(person)  # meanwhile, elsewhere
    assert client.post(PHONE, {"number": NUMBER})["Location"] == "/login"
    assert not Phone.objects.exists()
    assert not messages()


@pytest.mark.clause("BR-09", "MF-08")
def test_the_phone_of_one_person_is_not_of_the_next(policy, client, person):
    password(client)
    client.post(PHONE, {"number": NUMBER})
    eve = make_person(email="eve@example.org")
    password(client, eve.email)
    client.post(PHONE, {"code": messages(NUMBER)[-1].code, "number": ""})
    client.post(PHONE, {"code": messages(NUMBER)[-1].code})
    assert not Phone.objects.filter(confirmed=True).exists()
    assert not Phone.objects.filter(user=eve).exists()


@pytest.mark.parametrize("values", [{"number": ""}, {"number": "x"}, {"number": "0" * 41}, {"number": "\x00"}, {"code": "\u0661"}, {}])
def test_what_is_neither_number_nor_code(policy, client, person, values):
    password(client)
    client.post(PHONE, {"number": NUMBER})
    assert client.post(PHONE, values).status_code == 400
    assert not is_signed_in(client)


@pytest.mark.clause("MF-15")
def test_guesses_end(policy, client, person):
    with time_machine.travel(time.time(), tick=False) as clock:
        password(client)
        client.post(PHONE, {"number": NUMBER})
        right = messages(NUMBER)[-1].code
        wrong = "000000" if right != "000000" else "000001"
        for _ in range(5):
            assert client.post(PHONE, {"code": wrong}).status_code == 400
            clock.shift(9)
        refused = client.post(PHONE, {"code": right})
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 60
        assert not is_signed_in(client)


def test_another_browser_does_not_see_what_waits(policy, client, person):
    password(client)
    client.post(PHONE, {"number": NUMBER})
    assert Client().get(PHONE)["Location"] == ENROL
