"""One challenge, twenty hands: exactly one success (hostile case WK-04)."""

from __future__ import annotations

import json

import pytest

from idp.accounts.models import User
from idp.mfa.models import WebAuthnKey
from idp.mfa.webauthn import assertion, registration
from idp.mfa.webauthn.refused import Refused
from tests.support.clauses import clause
from tests.support.factories import make_person
from tests.support.racing import at_once
from tests.support.security_key import BROWSER, SecurityKey, add_key

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
HANDS = 20


@pytest.fixture
def ada() -> User:
    return make_person()


@clause("WK-04")
@pytest.mark.parametrize("counter", [0, 3])
def test_one_assertion(ada: User, counter: int) -> None:
    held, key = add_key(ada)
    held.counter = counter
    asked = assertion.begin_sign_in(browser=BROWSER)
    answer = json.dumps(held.get(asked.options))

    def use(_number: int) -> bool:
        try:
            return assertion.sign_in(state=asked.state, answer=answer, browser=BROWSER).key.pk == key.pk
        except Refused:
            return False

    assert sum(at_once(HANDS, use)) == 1
    key.refresh_from_db()
    assert key.disabled_at is None, "a replay is no sign of a copy"


@clause("WK-04")
def test_one_registration(ada: User) -> None:
    asked = registration.begin(ada, kind="passkey", browser=BROWSER)
    answer = json.dumps(SecurityKey().create(asked.options))

    def add(_number: int) -> bool:
        try:
            registration.complete(ada, kind="passkey", state=asked.state, answer=answer, browser=BROWSER)
        except Refused:
            return False
        return True

    assert sum(at_once(HANDS, add)) == 1


@clause("WK-09")
def test_one_credential_in_twenty_ceremonies(ada: User) -> None:
    held = SecurityKey()
    ceremonies = [registration.begin(ada, kind="passkey", browser=BROWSER) for _ in range(HANDS)]
    answers = [json.dumps(held.create(asked.options)) for asked in ceremonies]

    def add(number: int) -> bool:
        try:
            registration.complete(ada, kind="passkey", state=ceremonies[number].state, answer=answers[number], browser=BROWSER)
        except Refused:
            return False
        return True

    assert sum(at_once(HANDS, add)) == 1
    assert WebAuthnKey.objects.count() == 1


def test_twenty_uses_at_once_do_not_hurt_each_other(ada: User) -> None:
    """Synced passkeys do not count: parallel honest sign-ins all succeed."""
    held, _key = add_key(ada)
    ceremonies = [assertion.begin_sign_in(browser=BROWSER) for _ in range(HANDS)]
    answers = [json.dumps(held.get(asked.options)) for asked in ceremonies]
    at_once(HANDS, lambda number: assertion.sign_in(state=ceremonies[number].state, answer=answers[number], browser=BROWSER))
