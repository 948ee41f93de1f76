"""A passkey is offered after a password, or set up because the policy wants it; either way the sign-in goes on."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from idp.accounts.models import User
from idp.mfa.models import UserHandle, WebAuthnKey
from idp.sessions.models import BrowserSession
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD
from tests.support.mailbox import mails
from tests.support.security_key import SecurityKey, add_key

pytestmark = pytest.mark.django_db
OFFER = "/login/passkey-offer"


def sign_in(client: Client, person: Any, **fields: str) -> Any:
    return client.post("/login", {"login": person.email, "password": PASSWORD, **fields})


def create(client: Client, path: str, options: str, **fields: str) -> Any:
    asked = client.post(options, fields).json()
    return client.post(path, {"state": asked["state"], "answer": json.dumps(SecurityKey().create(asked["options"])), **fields})


def test_offered_after_a_password_where_the_device_could_hold_one(client, person):
    assert sign_in(Client(), person, next="/account/apps")["Location"] == "/account/apps", "without script, or without such a device"
    assert sign_in(client, person, passkeys="1", next="/account/apps")["Location"] == f"{OFFER}?next=%2Faccount%2Fapps"
    page = client.get(f"{OFFER}?next=/account/apps")
    assert 'id="passkey-create"' in page.content.decode()
    done = create(client, OFFER, "/account/security/passkey/options", next="/account/apps")
    assert 'name="next" value="/account/apps"' in done.content.decode(), "recovery codes first, then on"
    assert client.post("/login/enrol", {"decision": "continue", "next": "/account/apps"})["Location"] == "/account/apps"
    assert BrowserSession.objects.exclude(sid="").filter(acr="phr").count() == 1
    assert any("was added" in mail.text for mail in mails(person.email))
    assert client.get(OFFER)["Location"] == "/account", "there is one now"


def test_not_now_is_remembered_for_a_month(client, person):
    sign_in(client, person, passkeys="1", next="/account/apps")
    assert client.post(OFFER, {"decision": "later", "next": "/account/apps"})["Location"] == "/account/apps"
    assert sign_in(Client(), person, passkeys="1")["Location"] == "/account"
    with time_machine.travel(time.time() + 31 * 86400):
        assert sign_in(Client(), person, passkeys="1")["Location"] == OFFER
    assert UserHandle.objects.count() == 1


def test_after_password_and_app_too(client, person):
    app = enrol(person)
    sign_in(client, person, passkeys="1")
    assert client.post("/login/second-factor", {"code": app.code(), "passkeys": "1"})["Location"] == OFFER


def test_nobody_else_reaches_the_offer(client, person):
    assert client.get(OFFER)["Location"] == "/account"
    add_key(person)
    assert sign_in(client, person, passkeys="1")["Location"] == "/login/second-factor", "who has one is asked for it"
    other = Client()
    WebAuthnKey.objects.all().delete()
    sign_in(other, person, passkeys="1")
    with time_machine.travel(time.time() + 301):
        assert other.get(OFFER)["Location"] == "/account", "too long ago to add a key"
        assert create_refused(other)


def create_refused(client: Client) -> bool:
    return client.post(OFFER, {"state": "x", "answer": "{}"})["Location"] == "/account"


def test_a_refused_answer_is_said_and_the_way_on_stays(client, person):
    sign_in(client, person, passkeys="1")
    refused = client.post(OFFER, {"state": "x", "answer": "{}"})
    assert refused.status_code == 400
    assert "took too long" in refused.content.decode()
    assert 'id="passkey-later"' in refused.content.decode()


@pytest.mark.parametrize("acr", ["urn:kairos:acr:mfa", "phr"])
def test_set_up_because_the_deployment_wants_it(client, person, monkeypatch, acr):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"min_acr": acr, "enrolment_grace_days": 0}))
    assert sign_in(client, person, next="/account/apps")["Location"] == "/login/enrol"
    page = client.get("/login/enrol?next=/account/apps").content.decode()
    assert 'id="passkey-create"' in page
    assert ('id="manual-key"' in page) == (acr != "phr"), "an authenticator app would not be enough"
    assert create(client, "/login/enrol/passkey", "/login/enrol/passkey/options", next="/account/apps").status_code == 200
    assert client.post("/login/enrol", {"decision": "continue", "next": "/account/apps"})["Location"] == "/account/apps"
    assert BrowserSession.objects.exclude(sid="").get().acr == "phr"


@pytest.mark.clause("MF-07")
def test_a_password_and_a_trusted_browser_add_nothing(client, person, monkeypatch):
    """Hostile case MF-07: whoever has an app proves it before a passkey is added, whatever the browser was spared."""
    app = enrol(person)
    sign_in(client, person)
    client.post("/login/second-factor", {"code": app.code(), "trust": "1"})
    client.post("/logout", {"decision": "confirm"})
    client.cookies.pop(settings.SESSION_COOKIE_NAME)
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"min_acr": "phr", "enrolment_grace_days": 0}))
    assert sign_in(client, person)["Location"] == "/login/second-factor"
    assert client.post("/login/enrol/passkey/options").status_code == 400


def test_nothing_to_set_up_without_a_sign_in(client):
    assert client.post("/login/enrol/passkey/options").status_code == 400
    assert client.post("/login/enrol/passkey")["Location"] == "/login/enrol"


def begin_sign_up(client: Client, **fields: str) -> str:
    """Through the sign-up page without a password, up to the code; returns where that leads."""
    begun = client.post("/signup", {"email": "new@example.org", "way": "passkey", **fields})
    code = re.search(r"\b(\d{6})\b", mails("new@example.org")[-1].text)[1]
    return str(client.post(begun["Location"].partition("?")[0], {"code": code, **fields})["Location"])


def test_an_account_with_a_passkey_and_no_password(client):
    assert 'id="signup-passkey"' in client.get("/signup").content.decode()
    assert begin_sign_up(client, next="/account/apps") == "/signup/passkey?next=%2Faccount%2Fapps"
    assert 'id="passkey-create"' in client.get("/signup/passkey?next=/account/apps").content.decode()
    held = SecurityKey()
    asked = client.post("/account/security/passkey/options").json()
    answer = {"state": asked["state"], "answer": json.dumps(held.create(asked["options"])), "next": "/account/apps"}
    done = client.post("/signup/passkey", answer)
    assert done.status_code == 200
    assert 'id="codes"' in done.content.decode()
    person = User.objects.get()
    assert (person.has_usable_password(), person.email_verified) == (False, True)
    assert BrowserSession.objects.exclude(sid="").get().acr == "phr"
    again = Client()
    asked = again.post("/login/passkey/options").json()
    used = again.post("/login/passkey", {"state": asked["state"], "answer": json.dumps(held.get(asked["options"]))})
    assert used["Location"] == "/account"
    assert client.get("/signup/passkey")["Location"] == "/account", "only as long as there is no way in"


@pytest.mark.clause("MF-14")
def test_until_then_the_session_stands_on_the_code_alone(client):
    """Hostile case MF-14: nobody typed a password, and the record does not say so."""
    begin_sign_up(client)
    session = BrowserSession.objects.exclude(sid="").get()
    assert (session.acr, session.amr) == ("0", ["otp"])
    refused = client.post("/signup/passkey", {"state": "x", "answer": "{}"})
    assert refused.status_code == 400
    assert 'id="password-instead"' in refused.content.decode()


def test_an_address_that_is_taken_looks_the_same(client, person):
    """Hostile case PW-02: without a password too."""
    answers = [Client().post("/signup", {"email": email, "way": "passkey"}) for email in (person.email, "free@example.org")]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert answers[0].status_code == answers[1].status_code == 302


def test_without_that_button_a_password_is_needed(client):
    refused = client.post("/signup", {"email": "new@example.org", "password": ""})
    assert refused.status_code == 400
    assert "Enter your password" in refused.content.decode()
    assert client.post("/signup", {"email": "no address", "way": "passkey"}).status_code == 400


def test_who_has_no_way_in_but_mail_may_add_the_first_one(client, person):
    """Signed in by a code: no factor, no password, so there is nothing stronger to ask for."""
    person.set_unusable_password()
    person.save()
    client.post("/login", {"login": person.email, "way": "code"})
    code = re.search(r"\b(\d{6})\b", mails(person.email)[-1].text)[1]
    client.post("/login/code", {"code": code})
    assert client.get("/account/security/passkey").status_code == 200
