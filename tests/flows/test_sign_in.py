"""Signing in and out by the pages, as a browser without JavaScript does it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from idp.accounts import people
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db


def sign_in(client, *, login="ada@example.org", password=PASSWORD, **more):
    return client.post("/login", {"login": login, "password": password, **more})


def events():
    return list(EventRecord.objects.exclude(name__startswith="account.").order_by("id").values_list("name", flat=True))


def test_the_page_keeps_its_promises_to_password_managers(client):
    page = client.get("/login").content.decode()
    login, password, submit = (
        re.search(rf"<(?:input|button)[^>]*id=\"{name}\"[^>]*>", page)[0] for name in ("id_login", "id_password", "login-submit")
    )
    assert 'autocomplete="username webauthn"' in login
    assert 'autocomplete="current-password"' in password
    assert 'type="submit"' in submit
    assert "csrfmiddlewaretoken" in page


@pytest.mark.clause("PW-16")
@pytest.mark.parametrize("typed", ["", "!", "None", " "])
def test_who_has_no_password_is_not_let_in_by_none(client, typed):
    person = people.create(email="ada@example.org", method="command", verified=True)
    assert not person.has_usable_password()
    assert not person.check_password(typed)
    assert sign_in(client, password=typed).status_code == 400


@pytest.mark.clause("PW-19")
def test_a_name_that_is_somebodys_address_is_a_name(client, person):
    """There are no user names: what is typed is an address or a number, whatever people call themselves."""
    from idp.accounts import profile
    from idp.accounts.addresses import find

    eve = make_person(email="eve@example.org", password="an entirely other pass phrase")
    profile.change(eve, {"preferred_username": "ada@example.org", "nickname": "ada@example.org"}, role="person")
    assert find("ada@example.org") == person
    assert sign_in(client, password="an entirely other pass phrase").status_code == 400
    assert sign_in(client)["Location"] == "/account"
    assert client.get("/account").context["account"] == person


def test_a_person_signs_in_and_is_known_from_then_on(client, person):
    response = sign_in(client)
    assert (response.status_code, response["Location"]) == (302, "/account")
    assert events() == ["sign_in.succeeded"]
    record = EventRecord.objects.get(name="sign_in.succeeded")
    assert record.person == person.pk
    assert record.data["amr"] == ["pwd"]
    assert record.data["sid"]
    assert client.get("/login").status_code == 302  # nothing to do here for somebody signed in


@pytest.mark.parametrize("spelling", ["ADA@example.org", " ada@Example.ORG ", "\uff41da@example.org"])
def test_any_spelling_of_the_address_will_do(client, person, spelling):
    assert sign_in(client, login=spelling).status_code == 302


def test_a_wrong_password_keeps_the_identifier_and_says_what_to_do(client, person):
    response = sign_in(client, password="not the right password")
    page = response.content.decode()
    assert response.status_code == 400
    assert 'value="ada@example.org"' in page
    assert "not the right password" not in page
    assert "Email or password is wrong" in page
    assert "<title>Error: Sign in" in page
    assert re.search(r'id="id_password"[^>]*aria-invalid="true"[^>]*aria-describedby="id_password-error', page)
    assert events() == ["sign_in.failed"]
    assert EventRecord.objects.get(name="sign_in.failed").person == person.pk


def test_next_leads_to_a_page_of_ours(client, person):
    page = client.get("/login?next=/account/apps").content.decode()
    assert '<input type="hidden" name="next" value="/account/apps">' in page
    assert sign_in(client, next="/account/apps")["Location"] == "/account/apps"


def test_who_is_signed_in_goes_where_the_page_wanted(client, person):
    sign_in(client)
    assert client.get("/login?next=/account/apps")["Location"] == "/account/apps"


def test_the_session_gets_a_new_name_at_sign_in(client, person):
    client.post("/signup", {"email": "new@example.org", "password": PASSWORD})  # an anonymous session exists
    name = next(cookie for cookie in client.cookies if "session" in cookie)
    before = client.cookies[name].value
    sign_in(client)
    assert client.cookies[name].value != before


def test_another_person_in_the_same_browser_finds_nothing_of_the_first(client, person):
    """Hostile case BR-09."""
    other = make_person(email="bob@example.org")
    sign_in(client)
    first = dict(client.session)
    sign_in(client, login="bob@example.org")
    assert str(person.pk) in str(first)
    assert str(person.pk) not in str(dict(client.session))
    assert str(other.pk) in str(dict(client.session))


def test_a_disabled_account_gets_nothing_and_is_told_so_only_with_the_right_password(client, person):
    people.disable(person)
    assert "Email or password is wrong" in sign_in(client, password="some wrong password").content.decode()
    response = sign_in(client)
    assert response["Location"] == "/login/disabled"
    page = client.get("/login/disabled")
    assert page.status_code == 403
    assert "switched off" in page.content.decode()
    assert client.get("/account/password")["Location"].startswith("/login")
    assert "sign_in.succeeded" not in events()
    assert [record.data["reason"] for record in EventRecord.objects.filter(name="sign_in.failed")] == ["wrong_password", "disabled"]


def test_disabling_ends_what_is_open(client, person):
    sign_in(client)
    assert client.get("/account/password").status_code == 200
    people.disable(person)
    assert client.get("/account/password").status_code == 302


def test_an_unproved_address_is_proved_before_anything_else(client):
    from tests.support.mailbox import mails

    person = make_person(verified=False)
    assert sign_in(client, next="/account/apps")["Location"] == "/signup/verify"
    assert "sign_in.succeeded" not in events()
    assert client.get("/account/password").status_code == 302
    [mail] = mails("ada@example.org")
    response = client.post("/signup/verify", {"code": mail.code})
    assert response["Location"] == "/account/apps"
    person.refresh_from_db()
    assert person.email_verified
    assert client.get("/account/password").status_code == 200


def test_a_form_without_its_token_restarts_with_the_original_request(person):
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/login", {"login": "ada@example.org", "password": PASSWORD, "next": "/account/apps"})
    assert response.status_code == 403
    assert 'href="/login?next=%2Faccount%2Fapps"' in response.content.decode()
    assert events() == []


def test_only_the_methods_that_mean_something(client):
    assert client.put("/login").status_code == 405
    assert client.get("/signup/verify/resend").status_code == 405
    assert client.get("/.well-known/change-password")["Location"] == "/account/password"
