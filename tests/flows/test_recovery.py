"""A forgotten password, and a changed one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from idp.accounts import people
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
NEW = "an entirely new pass phrase"


def sign_in(client, password=PASSWORD):
    return client.post("/login", {"login": "ada@example.org", "password": password})


def ask(client, email="ada@example.org"):
    response = client.post("/password/forgot", {"email": email})
    assert (response.status_code, response["Location"]) == (302, "/password/forgot/sent")
    return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", client.get("/password/forgot/sent").content)


def link():
    [found] = [link for mail in mails("ada@example.org") for link in mail.links if "token=" in link]
    assert found.startswith("http://localhost:8000/password/reset?token=")
    return found.removeprefix("http://localhost:8000")


def open_link(client, path):
    response = client.get(path)
    assert (response.status_code, response["Location"]) == (302, "/password/reset")
    return client.get("/password/reset")


def test_from_forgotten_to_signed_in(client, person):
    elsewhere = Client()
    sign_in(elsewhere)
    ask(client)
    page = open_link(client, link())
    assert page.status_code == 200
    assert "token" not in page.content.decode().replace("csrfmiddlewaretoken", "")
    assert 'autocomplete="new-password"' in page.content.decode()
    response = client.post("/password/reset", {"password": NEW})
    assert response["Location"] == "/login?done=reset"
    assert "Sign in with the new one" in client.get("/login?done=reset").content.decode()
    # It does not sign in by itself; every other session is over; the person is told.
    assert client.get("/account/password").status_code == 302
    assert elsewhere.get("/account/password").status_code == 302
    assert "was changed" in mails("ada@example.org")[-1].subject
    assert sign_in(client).status_code == 400
    assert sign_in(client, NEW).status_code == 302
    names = set(EventRecord.objects.values_list("name", flat=True))
    assert {"account.recovery_requested", "account.recovered"} <= names


def test_opening_the_link_changes_nothing(client, person):
    """Hostile case EM-01: a scanner opens it five times, from elsewhere."""
    ask(client)
    path = link()
    for _ in range(5):
        scanner = Client()
        open_link(scanner, path)
        scanner.head(path)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert open_link(client, path).status_code == 200


def test_a_link_works_once_and_ends_all_the_others(client, person):
    ask(client)
    first = link()
    people.sign_out_everywhere(person)
    assert open_link(Client(), first).status_code == 400  # EM-08: the epoch moved
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        ask(client)
    second = [link for mail in mails("ada@example.org") for link in mail.links if "token=" in link][-1].removeprefix(
        "http://localhost:8000"
    )
    open_link(client, second)
    other = Client()
    open_link(other, second)
    assert client.post("/password/reset", {"password": NEW}).status_code == 302
    late = other.post("/password/reset", {"password": "yet another pass phrase!"})
    assert late.status_code == 400
    assert "does not work any more" in late.content.decode()
    person.refresh_from_db()
    assert person.check_password(NEW)


def test_a_link_lives_one_hour(client, person):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        ask(client)
    path = link()
    with time_machine.travel(now + timedelta(minutes=59), tick=False):
        assert open_link(client, path).status_code == 200
    with time_machine.travel(now + timedelta(minutes=61), tick=False):
        assert open_link(Client(), path).status_code == 400
        assert client.post("/password/reset", {"password": NEW}).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "a" * 5000, "00000000000000000000000000000000.abc-def", "\x00", "%zz", "é.é", "....", "-"])
def test_a_token_that_is_none(client, person, token):
    assert client.get("/password/reset", {"token": token}).status_code == 302
    assert client.get("/password/reset").status_code == 400


def test_the_token_of_one_person_does_nothing_for_another(client, person):
    """Hostile case EM-07."""
    other = make_person(email="bob@example.org")
    ask(client)
    token = link().split("token=")[1]
    forged = f"{other.pk.hex}.{token.split('.')[1]}"
    assert client.get("/password/reset", {"token": forged}).status_code == 302
    assert client.get("/password/reset").status_code == 400


def test_a_weak_password_is_refused_and_the_link_still_works(client, person):
    ask(client)
    open_link(client, link())
    for weak in ("short", "ada@example.org ada", "passwordpassword"):
        response = client.post("/password/reset", {"password": weak})
        assert response.status_code == 400
    assert client.post("/password/reset", {"password": NEW}).status_code == 302


def test_at_most_three_mails_an_hour_to_one_address(client, person):
    answers = {ask(client) for _ in range(10)}
    assert len(mails("ada@example.org")) == 3
    assert len(answers) == 1  # EM-12: the same answer


def test_recovery_verifies_the_address_and_unlocks(client):
    person = make_person(verified=False)
    for _ in range(6):
        sign_in(client, "not the right password")
    ask(client)
    open_link(client, link())
    client.post("/password/reset", {"password": NEW})
    person.refresh_from_db()
    assert person.email_verified
    assert sign_in(client, NEW).status_code == 302


def test_a_disabled_account_cannot_be_recovered(client, person):
    people.disable(person)
    ask(client)
    [mail] = mails("ada@example.org")
    assert not [link for link in mail.links if "token=" in link]


def test_changing_the_password_keeps_this_browser_and_ends_the_others(client, person):
    elsewhere = Client()
    sign_in(elsewhere)
    sign_in(client)
    page = client.get("/account/password").content.decode()
    assert 'autocomplete="current-password"' in page
    assert 'autocomplete="new-password"' in page
    response = client.post("/account/password", {"current": PASSWORD, "password": NEW})
    assert response["Location"] == "/account/password?done=1"
    assert "Your password is changed" in client.get("/account/password?done=1").content.decode()
    assert elsewhere.get("/account/password").status_code == 302
    [mail] = [mail for mail in mails("ada@example.org") if not mail.subject.startswith("New sign-in")]
    assert "was changed" in mail.subject
    assert EventRecord.objects.filter(name="account.password_changed", person=person.pk).count() == 1


def test_changing_the_password_needs_the_current_one(client, person):
    sign_in(client)
    response = client.post("/account/password", {"current": "not the right password", "password": NEW})
    assert response.status_code == 400
    assert "not your current password" in response.content.decode()
    same = client.post("/account/password", {"current": PASSWORD, "password": PASSWORD})
    assert "Choose another one" in same.content.decode()
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_who_has_no_password_proves_the_mailbox(client, person):
    sign_in(client)
    person.set_unusable_password()
    person.save()
    assert "no password yet" in client.get("/account/password").content.decode()
    assert client.post("/account/password", {"current": "", "password": NEW}).status_code == 200
    person.refresh_from_db()
    assert not person.has_usable_password()


def test_a_shorter_password_where_there_is_a_second_factor(client, settings):
    """A switch of the policy (NIST SP 800-63B-4 3.1.1.2): eight characters, only for people who have a factor, at change and at reset."""
    from tests.support.authenticator import enrol

    person, other = make_person(), make_person(email="bob@example.org")
    enrol(person)
    short = "Qx7!pluvial"
    settings.IDP = settings.IDP.model_copy(update={"password_min_length_with_second_factor": 8})
    for who, accepted in ((person, True), (other, False)):
        browser = Client()
        from idp.accounts import recovery

        browser.get(f"/password/reset?token={recovery.token_for(who)}")
        page = browser.get("/password/reset").content.decode()
        assert ("At least 8 characters" in page) is accepted
        assert browser.post("/password/reset", {"password": short}).status_code == (302 if accepted else 400)
    person.refresh_from_db()
    assert person.check_password(short)
