"""Ten thousand mutations of honest WebAuthn answers: each is a refusal, never an error of ours."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any, get_type_hints

import pytest
from django.test import Client
from fido2.utils import websafe_decode, websafe_encode

from idp.mfa.webauthn import assertion, ceremonies, registration
from idp.mfa.webauthn.refused import Refused
from tests.support.security_key import BROWSER, SecurityKey, add_key

pytestmark = [pytest.mark.django_db, pytest.mark.embedded]  # nothing in it is about the database: once is enough
EACH = 5000
VALUES: list[Any] = [None, True, 0, -1, 2**70, 1.5, "", "x", "\ud800", "A" * 5000, [], {}, [[]], {"a": {}}, "\x00"]
DEEP = b"\x81" * 3000  # arrays in arrays: the parser recurses


def bytes_mutated(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        where = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0 if where < len(changed):
                changed[where] = chance.randrange(256)
            case 1 if where < len(changed):
                changed[where] ^= 1 << chance.randrange(8)
            case 2:
                del changed[where:]
            case 3:
                changed[where:where] = chance.randbytes(chance.randrange(1, 20))
            case 4:
                changed[where : where + chance.randrange(1, 9)] = b""
            case _:
                changed[where:where] = DEEP if chance.random() < 0.02 else changed[: chance.randrange(40)]
    return bytes(changed)


def answer_mutated(chance: random.Random, honest: dict[str, Any]) -> str:
    answer = json.loads(json.dumps(honest))
    response = answer["response"]
    kind = chance.randrange(10)
    if kind < 6:
        name = chance.choice([name for name in response if isinstance(response[name], str)])
        response[name] = websafe_encode(bytes_mutated(chance, websafe_decode(response[name])))
    elif kind < 8:
        where = chance.choice([answer, response])
        name = chance.choice([*where, "new"])
        if chance.random() < 0.3:
            where.pop(name, None)
        else:
            where[name] = chance.choice(VALUES)
    else:
        return bytes_mutated(chance, json.dumps(answer).encode()).decode("utf-8", "replace")
    return json.dumps(answer)


@pytest.fixture
def unspent(monkeypatch):
    """The challenge is not what is tested here: the same one for every mutation. Nor are types, which fido2 reads anew for each value."""
    monkeypatch.setattr(ceremonies, "spend", lambda *_, **__: b"c" * 32)
    monkeypatch.setattr("fido2.utils.get_type_hints", cache(get_type_hints))


def refused(act: Any) -> bool:
    try:
        act()
    except Refused:
        return True
    return False


@pytest.mark.slow
def test_registrations(person, unspent):
    chance = random.Random(1)
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    honest = SecurityKey().create({**asked.options, "challenge": websafe_encode(b"c" * 32)})
    for _ in range(EACH):
        answer = answer_mutated(chance, honest)
        refused(lambda answer=answer: registration._judged(person, "passkey", b"c" * 32, answer))  # or it is harmless


@pytest.mark.slow
def test_assertions(person, unspent, monkeypatch):
    chance = random.Random(2)
    monkeypatch.setattr(assertion, "emit", lambda *_, **__: None)
    held, key = add_key_unspent(person)
    honest = held.get({"challenge": websafe_encode(b"c" * 32)})
    in_vain = 0
    for _ in range(EACH):
        answer = answer_mutated(chance, honest)
        in_vain += refused(lambda answer=answer: assertion.sign_in(state="", answer=answer, browser=BROWSER))
    assert in_vain > EACH * 0.8
    key.refresh_from_db()
    assert key.disabled_at is None, "nothing unsigned makes a key suspect"


def add_key_unspent(person: Any) -> Any:
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    held = SecurityKey()
    answer = json.dumps(held.create({**asked.options, "challenge": websafe_encode(b"c" * 32)}))
    return held, registration.complete(person, kind="passkey", state="", answer=answer, browser=BROWSER)


@pytest.mark.parametrize("text", ["", "null", "[]", "1", '"x"', "{", "{}", "[" * 100_000, '{"a":' * 20_000, "\x00", "é" * 70_000])
def test_what_is_not_even_an_answer(client: Client, person, text):
    add_key(person)
    asked = client.post("/login/passkey/options").json()
    assert client.post("/login/passkey", {"state": asked["state"], "answer": text}).status_code == 400


@pytest.mark.parametrize("state", ["", "x", "x" * 10_000, "a:b:c", "\x00", "é:é:é"])
def test_what_is_no_state(client: Client, state):
    client.post("/login/passkey/options")
    assert client.post("/login/passkey", {"state": state, "answer": "{}"}).status_code == 400
