"""Signing in with a code or a link instead of a password: by mail or by phone, in the browser that asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from idp.accounts import people
from idp.accounts.models import AddressProof, User
from idp.events.models import EventRecord
from tests.support.authenticator import enrol
from tests.support.factories import make_person
from tests.support.mailbox import mails
from tests.support.messages import messages

pytestmark = pytest.mark.django_db
NUMBER = "+4915123456789"


@pytest.fixture
def configured(settings):
    def change(**values):
        settings.IDP = settings.IDP.model_copy(update=values)

    return change


def ask(client, login="ada@example.org", **more):
    return client.post("/login", {"login": login, "way": "code", **more})


def signed_in(client):
    return client.get("/account/password").status_code == 200


def test_a_code_by_mail(client, person):
    response = ask(client, "Ada@Example.org", next="/account/apps")
    assert (response.status_code, response["Location"]) == (302, "/login/code?next=%2Faccount%2Fapps")
    page = client.get(response["Location"]).content.decode()
    assert 'autocomplete="one-time-code"' in page
    [mail] = mails()
    assert mail.to == "ada@example.org"
    response = client.post("/login/code", {"code": mail.code, "next": "/account/apps"})
    assert response["Location"] == "/account/apps"
    assert signed_in(client)
    assert EventRecord.objects.get(name="sign_in.succeeded").data["amr"] == ["otp"]
    assert client.post("/login/code", {"code": mail.code}).status_code == 302  # replayed: nothing waits, and the person is signed in


def test_the_link_fills_the_code_in_here_and_does_nothing_elsewhere(client, person):
    """EM-01 and EM-04: opening it changes nothing, and another browser gets nothing."""
    ask(client)
    [path] = [link.removeprefix("http://localhost:8000") for link in mails()[0].links if "code=" in link]
    for _ in range(5):
        assert f'value="{mails()[0].code}"' in client.get(path).content.decode()
    assert not signed_in(client)
    elsewhere = Client()
    page = elsewhere.get(path)
    assert page.status_code == 400
    assert mails()[0].code not in page.content.decode()


def test_a_magic_link_signs_in_in_the_browser_that_asked_and_nowhere_else(client, person, configured):
    """EM-01, EM-02, EM-04, EM-16: a button posts, once, here, and the token leaves the address bar at the first hit."""
    configured(sign_in_methods=("password", "magic_link"))
    ask(client, next="/account/apps")
    assert "Look into your mail" in client.get("/login/code").content.decode() or client.get("/login/code").status_code == 302
    [mail] = mails()
    [path] = [link.removeprefix("http://localhost:8000") for link in mail.links if "link=" in link]
    elsewhere = Client()
    assert elsewhere.get(path).status_code == 400
    assert elsewhere.post("/login/code", {"with_link": "1"}).status_code == 400
    response = client.get(path)
    assert response["Location"] == "/login/code"
    page = client.get("/login/code?next=%2Faccount%2Fapps").content.decode()
    assert 'id="link-submit"' in page
    assert path.split("link=")[1] not in page
    assert not signed_in(client)
    assert client.post("/login/code", {"with_link": "1"})["Location"] == "/account/apps"
    assert signed_in(client)
    assert client.post("/login/code", {"with_link": "1"}).status_code == 302  # used: nothing waits any more


def test_a_mail_with_link_only_has_no_code_to_guess(client, person, configured):
    configured(sign_in_methods=("magic_link",))
    response = client.post("/login", {"login": "ada@example.org"})
    assert response["Location"] == "/login/code"
    assert "id_code" not in client.get("/login/code").content.decode()
    assert "type this code" not in mails()[0].text


def test_link_and_code_in_one_mail(client, person, configured):
    configured(sign_in_methods=("email_code", "magic_link"))
    ask(client)
    assert client.post("/login/code", {"code": mails()[0].code}).status_code == 302
    assert signed_in(client)


def test_a_link_of_somebody_else_or_made_up(client, person, configured):
    """EM-07: a token of one proof is worth nothing for another."""
    configured(sign_in_methods=("magic_link",))
    make_person(email="bob@example.org")
    other = Client()
    ask(other, "bob@example.org")
    theirs = next(link for link in mails("bob@example.org")[0].links if "link=" in link).removeprefix("http://localhost:8000")
    ask(client)
    for path in (theirs, "/login/code?link=", "/login/code?link=" + "x" * 5000, "/login/code?link=%00"):
        assert client.get(path).status_code == 400
    assert not signed_in(client)


def test_a_code_by_text_message(client, configured):
    configured(sign_in_methods=("password", "sms_code"))
    person = people.create(phone=NUMBER, password="correct horse battery staple", method="command", verified=True)
    assert ask(client, "+49 151 / 2345 6789")["Location"] == "/login/code"
    [message] = messages()
    assert message.to == NUMBER
    assert client.post("/login/code", {"code": message.code})["Location"] == "/account"
    assert signed_in(client)
    assert EventRecord.objects.get(name="sign_in.succeeded").person == person.pk


def test_a_password_with_the_number(client):
    people.create(phone=NUMBER, password="correct horse battery staple", method="command", verified=True)
    assert client.post("/login", {"login": "+49 151 23456789", "password": "correct horse battery staple"}).status_code == 302
    assert signed_in(client)


def test_a_way_that_is_not_offered(client, configured, person):
    configured(sign_in_methods=("password",))
    page = ask(client)
    assert page.status_code == 400
    assert "login-code" not in client.get("/login").content.decode()
    configured(sign_in_methods=("password", "email_code"))
    assert ask(client, NUMBER).status_code == 400
    assert not mails()
    assert not messages()


def test_a_code_never_stands_for_the_second_factor(client, person):
    """The mailbox opens no account that is protected by a factor (MF-05)."""
    enrol(person)
    ask(client)
    response = client.post("/login/code", {"code": mails("ada@example.org")[-1].code})
    assert response["Location"].startswith("/login/second-factor")
    assert not signed_in(client)


def test_disabled_and_deleted_people_get_no_code(client, person):
    people.disable(person)
    ask(client)
    assert AddressProof.objects.get().decoy
    assert "no account" in mails()[0].text.lower()


def test_a_code_is_worthless_after_the_password_changed(client, person):
    """EM-05 and EM-07: bound to the credential epoch."""
    ask(client)
    person = User.objects.get()
    people.set_password(person, "an entirely new pass phrase")
    page = client.post("/login/code", {"code": mails()[0].code})
    assert page.status_code == 400
    assert not signed_in(client)


def test_what_is_too_old_is_refused_without_any_cleaner(client, person):
    """EM-03."""
    ask(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert "does not work any more" in client.post("/login/code", {"code": mails()[0].code}).content.decode()
        assert not signed_in(client)


def test_sent_again_with_patience(client, person):
    ask(client)
    assert client.post("/login/code/resend").status_code == 429
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert client.post("/login/code/resend")["Location"] == "/login/code?sent=1"
        first, second = mails()
        if first.code != second.code:
            assert client.post("/login/code", {"code": first.code}).status_code == 400
        assert client.post("/login/code", {"code": second.code}).status_code == 302
    assert Client().post("/login/code/resend").status_code == 400


def test_one_budget_for_passwords_and_codes(client, person):
    """PW-12: wrong codes and wrong passwords of one person count together, and the right one is not confirmed while locked."""
    for _ in range(3):
        client.post("/login", {"login": "ada@example.org", "password": "certainly not the password"})
    ask(client)
    right = mails()[0].code
    wrong = "000000" if right != "000000" else "111111"
    assert client.post("/login/code", {"code": wrong}).status_code == 400
    assert client.post("/login/code", {"code": wrong}).status_code == 400
    assert client.post("/login/code", {"code": right}).status_code == 429
    assert client.post("/login", {"login": "ada@example.org", "password": "correct horse battery staple"}).status_code == 429
    assert EventRecord.objects.filter(name="account.locked").count() == 1


def test_the_owner_s_code_takes_an_account_that_somebody_else_made(client):
    """PW-18: who made an account and never proved its address loses it, password and all."""
    people.create(email="ada@example.org", password="the squatter's own phrase", method="somebody", verified=False)
    ask(client)
    client.post("/login/code", {"code": mails()[0].code})
    person = User.objects.get()
    assert person.email_verified
    assert person.unverified_until is None
    assert not person.has_usable_password()
    assert signed_in(client)


class TestIdentifierFirst:
    @pytest.fixture(autouse=True)
    def pages(self, configured):
        configured(sign_in_page="identifier_first")

    def test_two_pages_pair_for_password_managers(self, client, person):
        page = client.get("/login?next=%2Faccount%2Fapps").content.decode()
        assert "id_login" in page
        assert "id_password" not in page
        page = client.post("/login", {"login": "ada@example.org", "next": "/account/apps"}).content.decode()
        assert 'value="ada@example.org"' in page
        assert "readonly" in page
        assert 'autocomplete="current-password"' in page
        response = client.post("/login", {"login": "ada@example.org", "password": "correct horse battery staple", "next": "/account/apps"})
        assert response["Location"] == "/account/apps"

    def test_a_wrong_password_stays_on_the_second(self, client, person):
        page = client.post("/login", {"login": "ada@example.org", "password": "certainly not the password"})
        assert page.status_code == 400
        assert "id_password" in page.content.decode()

    def test_without_an_identifier_there_is_no_second_page(self, client):
        page = client.post("/login", {"login": ""})
        assert page.status_code == 400
        assert "id_password" not in page.content.decode()


def test_nothing_of_an_abandoned_sign_in_reaches_the_next_person(client, person):
    """BR-09: begun as Ada by code, finished as Bob by password: no proof, no waiting code of hers counts for him."""
    make_person(email="bob@example.org")
    ask(client)
    code = mails("ada@example.org")[0].code
    client.post("/login", {"login": "bob@example.org", "password": "correct horse battery staple"})
    assert EventRecord.objects.filter(name="sign_in.succeeded").latest("id").data["amr"] == ["pwd"]
    client.post("/login/code", {"code": code})  # her mailbox still proves who she is: it is her who is signed in then, and by that alone
    assert EventRecord.objects.filter(name="sign_in.succeeded").latest("id").data["amr"] == ["otp"]
    assert EventRecord.objects.filter(name="sign_in.succeeded").latest("id").person == person.pk
