"""Passkeys, as the page's script sends them: signing in alone, as the second step, for an app, again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts import people
from idp.events.models import EventRecord
from idp.mfa.models import SpentChallenge
from idp.sessions.models import BrowserSession
from tests.support.factories import PASSWORD
from tests.support.security_key import BE, BS, UP, UV, SecurityKey, add_key

pytestmark = pytest.mark.django_db


def use(client: Client, held: SecurityKey, *, path: str = "/login/passkey", **fields: str) -> Any:
    """What passkeys.js does: ask for a challenge, ask the authenticator, send the form."""
    asked = client.post(f"{path}/options", fields).json()
    return client.post(path, {"state": asked["state"], "answer": json.dumps(held.get(asked["options"])), **fields})


def session() -> BrowserSession:
    return BrowserSession.objects.exclude(sid="").get()


def test_the_passkey_alone_signs_in(client, person):
    held, _key = add_key(person)
    answer = use(client, held, next="/account/apps")
    assert answer["Location"] == "/account/apps"
    assert (session().acr, session().amr) == ("phr", ["pop", "user", "swk", "mfa"])
    assert EventRecord.objects.filter(name="sign_in.succeeded").get().data["amr"] == ["pop", "user", "swk", "mfa"]


def test_the_sign_in_page_offers_it_by_button_and_in_the_field(client):
    page = client.get("/login").content.decode()
    assert 'autocomplete="username webauthn"' in page
    assert 'data-options="/login/passkey/options" data-autofill' in page
    assert "kairos/passkeys.js" in page


def test_the_identifier_page_offers_it_too(client, monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"sign_in_page": "identifier_first"}))
    page = client.get("/login").content.decode()
    assert 'id="id_password"' not in page
    assert 'autocomplete="username webauthn"' in page
    assert 'data-options="/login/passkey/options" data-autofill' in page


def test_instead_of_a_code_after_the_password(client, person):
    held, key = add_key(person, kind="security_key", flags=UP)
    password = client.post("/login", {"login": person.email, "password": PASSWORD})
    assert password["Location"] == "/login/second-factor"
    page = client.get(password["Location"]).content.decode()
    assert 'data-options="/login/second-factor/passkey/options"' in page
    assert 'id="id_code"' not in page, "there is neither an app nor a recovery code"
    answer = use(client, held, path="/login/second-factor/passkey")
    assert answer["Location"] == "/account"
    assert (session().acr, session().amr) == ("phr", ["pwd", "pop", "user", "mfa"])
    key.refresh_from_db()
    assert not key.verified


def test_a_security_key_without_verification_does_not_sign_in_alone(client, person):
    """It may once it has verified beside the password (WebAuthn L3 7.2 step 24)."""
    held, key = add_key(person, kind="security_key", flags=UP)
    held.flags = UP | UV
    assert use(client, held).status_code == 400
    client.post("/login", {"login": person.email, "password": PASSWORD})
    use(client, held, path="/login/second-factor/passkey")
    key.refresh_from_db()
    assert key.verified


def test_an_account_that_is_switched_off_gets_nothing(client, person):
    held, _key = add_key(person)
    people.disable(person)
    assert use(client, held)["Location"] == "/login/disabled"
    assert not BrowserSession.objects.exclude(sid="").exists()
    assert "account_authentication_methods" not in client.session


def test_somebody_else_begins_with_nothing_of_the_one_before(client, person):
    """Hostile case BR-09: the password of one and the passkey of another are two sign-ins."""
    from tests.support.factories import make_person

    add_key(person)
    client.post("/login", {"login": person.email, "password": PASSWORD})
    held, _key = add_key(make_person(email="eve@example.org"))
    use(client, held)
    assert session().person.email == "eve@example.org"
    assert session().amr == ["pop", "user", "swk", "mfa"]


def test_nothing_is_written_for_who_only_asks(client, person):
    for _ in range(3):
        client.post("/login/passkey/options")
    assert SpentChallenge.objects.count() == 0
    assert client.get("/login/passkey")["Location"] == "/login"
    assert client.post("/login/second-factor/passkey/options").status_code == 400
    assert client.post("/login/second-factor/passkey")["Location"] == "/login/second-factor"


def test_an_unknown_passkey_is_said_to_the_password_manager(client, person):
    held, key = add_key(person)
    key.delete()
    answer = use(client, held)
    assert answer.status_code == 400
    assert 'data-passkey-unknown data-rp-id="localhost"' in answer.content.decode()
    assert EventRecord.objects.filter(name="sign_in.failed").get().data["reason"] == "unknown_passkey"


def test_who_has_no_password_is_asked_for_the_passkey_only(client, person):
    held, _key = add_key(person, flags=UP | UV | BE | BS)
    person.set_unusable_password()
    person.save()
    use(client, held)
    page = client.get("/login?again=1&next=/account/security").content.decode()
    assert 'id="id_password"' not in page
    assert 'id="passkey-submit"' in page
    assert use(client, held, next="/account/security")["Location"] == "/account/security"
