"""Hostile answers to WebAuthn ceremonies (rows WK of the list of hostile cases)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.test import Client
from fido2.cose import ES384
from fido2.utils import websafe_encode

from idp.events.models import EventRecord
from idp.mfa.models import WebAuthnKey
from idp.mfa.webauthn import registration
from idp.mfa.webauthn.refused import Refused
from idp.sessions.models import BrowserSession
from tests.support.clauses import clause
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.security_key import BE, BROWSER, BS, UP, UV, SecurityKey, add_key

pytestmark = pytest.mark.django_db
SIGN_IN, SECOND = "/login/passkey", "/login/second-factor/passkey"


def ask(client: Client, path: str = SIGN_IN) -> dict[str, Any]:
    asked: dict[str, Any] = client.post(f"{path}/options").json()
    return asked


def send(client: Client, asked: dict[str, Any], answer: Any, path: str = SIGN_IN) -> Any:
    return client.post(path, {"state": asked["state"], "answer": answer if isinstance(answer, str) else json.dumps(answer)})


def use(client: Client, held: SecurityKey, path: str = SIGN_IN) -> Any:
    asked = ask(client, path)
    return send(client, asked, held.get(asked["options"]), path)


def nobody(client: Client) -> bool:
    return client.get("/account").status_code == 302


def other_origin(origin: str) -> Callable[[SecurityKey], None]:
    return lambda held: setattr(held, "origin", origin)


def member(**members: Any) -> Callable[[SecurityKey], None]:
    return lambda held: held.client_data.update(members)


def claims(**fields: Any) -> Callable[[SecurityKey], None]:
    def change(held: SecurityKey) -> None:
        for name, value in fields.items():
            setattr(held, name, value)

    return change


HOSTILE = {
    "WK-01 another site": other_origin("https://evil.example"),
    "WK-01 a sub-domain": other_origin("http://sub.localhost:8000"),
    "WK-01 another scheme": other_origin("https://localhost:8000"),
    "WK-01 another port": other_origin("http://localhost:8001"),
    "WK-01 no port": other_origin("http://localhost"),
    "WK-01 more of a path": other_origin("http://localhost:8000/"),
    "WK-02 another RP": claims(rp_id="evil.example"),
    "WK-02 a public suffix": claims(rp_id="example"),
    "WK-03 inside of a frame": member(crossOrigin=True),
    "WK-03 a frame without shame": member(crossOrigin="false"),
    "WK-03 a foreign page around": member(topOrigin="https://evil.example"),
    "WK-05 another challenge": member(challenge=websafe_encode(b"x" * 32)),
    "nobody touched it": claims(flags=UV | BE | BS),
    "backed up without being eligible": claims(flags=UP | UV | BS),
}


@clause("WK-01", "WK-02", "WK-03")
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_an_assertion_that_is_not_for_us(client, person, change):
    """Hostile cases WK-01, WK-02, WK-03."""
    held, _key = add_key(person)
    change(held)
    answer = use(client, held)
    assert answer.status_code == 400
    assert nobody(client)


@clause("WK-01", "WK-02", "WK-03")
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_registration_that_is_not_for_us(person, change):
    """Hostile cases WK-01, WK-02, WK-03."""
    held = SecurityKey()
    change(held)
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=asked.state, answer=json.dumps(held.create(asked.options)), browser=BROWSER)
    assert not WebAuthnKey.objects.exists()


@clause("WK-03")
def test_the_types_are_not_mixed_up(client, person):
    """Hostile case WK-03: an answer to the other ceremony, with its own type or the right one."""
    held, _key = add_key(person)
    asked = ask(client)
    held.client_data = {"type": "webauthn.create"}
    assert send(client, asked, held.get(asked["options"])).status_code == 400
    begun = registration.begin(person, kind="passkey", browser=BROWSER)
    fresh = SecurityKey(client_data={"type": "webauthn.get"})
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=begun.state, answer=json.dumps(fresh.create(begun.options)), browser=BROWSER)


@clause("WK-04")
def test_a_challenge_is_good_once_and_for_five_minutes(client, person):
    """Hostile case WK-04; also when it was used in vain, and whatever happens to Redis: the row is in the database."""
    held, _key = add_key(person)
    asked = ask(client)
    answer = held.get(asked["options"])
    assert send(client, asked, answer).status_code == 302
    client.post("/logout", {"decision": "confirm"})
    again = Client()
    again.cookies = client.cookies
    assert send(again, asked, answer).status_code == 400
    asked = ask(client)
    answer = held.get(asked["options"])
    assert send(client, asked, "{}").status_code == 400
    assert send(client, asked, answer).status_code == 400, "spent by the wrong answer"
    asked = ask(client)
    answer = held.get(asked["options"])
    with time_machine.travel(time.time() + 301):
        assert send(client, asked, answer).status_code == 400


@clause("WK-05")
def test_a_challenge_of_another_browser_ceremony_or_person(client, person):
    """Hostile case WK-05."""
    held, _key = add_key(person)
    elsewhere = Client()
    asked = ask(elsewhere)
    assert send(client, asked, held.get(asked["options"])).status_code == 400, "no cookie"
    ask(client)
    assert send(client, asked, held.get(asked["options"])).status_code == 400, "another cookie"

    client.post("/login", {"login": person.email, "password": PASSWORD})
    asked = ask(client, SECOND)
    assert send(client, asked, held.get(asked["options"]), SIGN_IN).status_code == 400, "another ceremony"
    asked = ask(client, SIGN_IN)
    assert send(client, asked, held.get(asked["options"]), SECOND).status_code == 400, "another ceremony"

    eve = make_person(email="eve@example.org")
    add_key(eve)
    client.post("/login", {"login": eve.email, "password": PASSWORD})
    asked = ask(client, SECOND)
    client.post("/login", {"login": person.email, "password": PASSWORD})
    assert send(client, asked, held.get(asked["options"]), SECOND).status_code == 400, "another person"
    assert nobody(client)
    begun = registration.begin(eve, kind="passkey", browser=BROWSER)
    answer = json.dumps(SecurityKey().create(begun.options))
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=begun.state, answer=answer, browser=BROWSER)


@clause("WK-06")
def test_verification_is_enforced_here(client, person):
    """Hostile case WK-06: whatever a script had asked for."""
    held, _key = add_key(person)
    held.flags = UP | BE | BS
    assert use(client, held).status_code == 400
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    answer = json.dumps(SecurityKey(flags=UP).create(asked.options))
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=asked.state, answer=answer, browser=BROWSER)
    with pytest.raises(Refused):  # nor by calling it a security key afterwards
        registration.complete(person, kind="security_key", state=asked.state, answer=answer, browser=BROWSER)


@clause("WK-08")
@pytest.mark.parametrize("second", [7, 6, 0])
def test_a_counter_that_does_not_grow(client, person, second):
    """Hostile case WK-08: refused, switched off, recorded, told."""
    held, key = add_key(person, counter=5)
    held.counter = 7
    assert use(client, held).status_code == 302
    held.counter = second
    assert use(Client(), held).status_code == 400
    assert EventRecord.objects.filter(name="factor.suspected").get().data["reason"] == "counter"
    assert "looked like a copy" in mails(person.email)[-1].text
    held.counter = 100
    assert use(Client(), held).status_code == 400, "from now on"
    key.refresh_from_db()
    assert (key.disabled_at is not None, key.sign_count) == (True, 7)


@clause("WK-08")
def test_a_counter_that_never_counts(client, person):
    """Hostile case WK-08: synced passkeys say zero for ever."""
    held, _key = add_key(person)
    assert use(client, held).status_code == use(Client(), held).status_code == 302


@clause("WK-09")
def test_a_credential_that_is_there_already(person):
    """Hostile case WK-09: of another person or of the same one."""
    held, _key = add_key(make_person(email="eve@example.org"))
    for owner in (person, make_person(email="mallory@example.org")):
        asked = registration.begin(owner, kind="passkey", browser=BROWSER)
        with pytest.raises(Refused, match="known_already"):
            registration.complete(owner, kind="passkey", state=asked.state, answer=json.dumps(held.create(asked.options)), browser=BROWSER)


@clause("WK-10", "WK-11")
def test_the_key_of_somebody_else(client, person):
    """Hostile cases WK-10, WK-11: as second step of another person; with another person's handle; with no handle at all."""
    add_key(person)
    eve = make_person(email="eve@example.org")
    held, _key = add_key(eve)
    client.post("/login", {"login": person.email, "password": PASSWORD})
    assert websafe_encode(held.credential_id) not in json.dumps(ask(client, SECOND)), "she is not asked for it"
    assert use(client, held, SECOND).status_code == 400
    honest = held.user_handle
    held.user_handle = registration.handle_of(person)
    assert use(client, held).status_code == 400
    held.user_handle = None
    assert use(client, held).status_code == 400
    held.user_handle = honest
    held.private = ec.generate_private_key(ec.SECP256R1())
    assert use(client, held).status_code == 400
    assert nobody(client)


@clause("WK-14")
def test_eligibility_does_not_change(client, person):
    """Hostile case WK-14."""
    held, _key = add_key(person, flags=UP | UV)
    held.flags = UP | UV | BE
    assert use(client, held).status_code == 400
    assert EventRecord.objects.filter(name="factor.suspected").get().data["reason"] == "backup"


@clause("WK-15")
def test_options_tell_nothing_about_anybody(client, person):
    """Hostile case WK-15: whoever is named, whoever was here before."""
    add_key(person)
    plain = [{**ask(Client())["options"], "challenge": ""} for _ in range(2)]
    named = client.post(f"{SIGN_IN}/options", {"login": person.email}).json()["options"]
    assert [*plain, {**named, "challenge": ""}] == [plain[0]] * 3
    assert "allowCredentials" not in named


@clause("MF-05")
def test_no_second_step_by_its_address(client, person):
    """Hostile case MF-05: without the password, or when it was abandoned."""
    held, _key = add_key(person)
    assert client.post(f"{SECOND}/options").status_code == 400
    client.post("/login", {"login": person.email, "password": PASSWORD})
    asked = ask(client, SECOND)
    client.session.flush()
    assert send(client, asked, held.get(asked["options"]), SECOND)["Location"].startswith("/login")
    assert nobody(client)


def test_an_algorithm_that_was_not_offered(person):
    private = ec.generate_private_key(ec.SECP384R1())
    held = SecurityKey(public_key=dict(ES384.from_cryptography_key(private.public_key())))
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=asked.state, answer=json.dumps(held.create(asked.options)), browser=BROWSER)


@pytest.mark.parametrize("length", [0, 1024])
def test_an_id_of_an_impossible_length(person, length):
    held = SecurityKey(credential_id=b"i" * length)
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=asked.state, answer=json.dumps(held.create(asked.options)), browser=BROWSER)


def test_an_id_that_is_not_the_signed_one(person):
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    answer = SecurityKey().create(asked.options)
    answer["rawId"] = answer["id"] = websafe_encode(b"another")
    with pytest.raises(Refused):
        registration.complete(person, kind="passkey", state=asked.state, answer=json.dumps(answer), browser=BROWSER)


def test_too_many_tries_of_one_address(client, person):
    from idp.signin import passkeys

    with mock.patch.object(passkeys, "TRIES", 2):
        for _ in range(2):
            assert client.post(SIGN_IN, {"state": "", "answer": ""}).status_code == 400
        refused = client.post(SIGN_IN, {"state": "", "answer": ""})
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)


def test_related_origins_are_exact(client, person, monkeypatch):
    """WebAuthn L3 5.11: the operator's list, published; nothing beside it."""
    assert client.get("/.well-known/webauthn").status_code == 404
    related = settings.IDP.model_copy(update={"passkey_origins": ("https://www.example.org",)})
    monkeypatch.setattr(settings, "IDP", related)
    assert client.get("/.well-known/webauthn").json() == {"origins": ["http://localhost:8000", "https://www.example.org"]}
    held, _key = add_key(person)
    for origin, status in (("https://www.example.org", 302), ("https://example.org", 400), ("https://www.example.org.evil.example", 400)):
        held.origin = origin
        assert use(Client(), held).status_code == status


def test_password_managers_find_the_pages(client):
    found = client.get("/.well-known/passkey-endpoints").json()
    assert found == {"enroll": "http://localhost:8000/account/security/passkey", "manage": "http://localhost:8000/account/security"}


def test_the_account_gate_on_every_path(client, person):
    """A changed password ends the sign-in that waits; an account that was switched off meanwhile gets nothing."""
    from idp.accounts import people

    held, _key = add_key(person)
    client.post("/login", {"login": person.email, "password": PASSWORD})
    people.disable(person)
    assert client.post(f"{SECOND}/options").status_code == 400
    assert use(client, held)["Location"] == "/login/disabled"
    assert not BrowserSession.objects.exclude(sid="").exists()
