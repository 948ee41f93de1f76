"""One code, twenty hands: exactly one success; sixteen wrong guesses at once: one is looked at (hostile case MF-01)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from idp.accounts.models import User
from idp.mfa import factors, verification
from idp.mfa.models import TotpDevice
from tests.support.authenticator import enrol
from tests.support.factories import make_person

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
HANDS = 20


def at_once(act: Callable[[], bool]) -> int:
    barrier = threading.Barrier(HANDS)

    def one() -> bool:
        try:
            barrier.wait(30)
            return act()
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(HANDS) as pool:
        return sum(future.result() for future in [pool.submit(one) for _ in range(HANDS)])


@pytest.fixture
def ada() -> User:
    return make_person()


@pytest.mark.clause("MF-01")
def test_one_totp_code(ada: User) -> None:
    code = enrol(ada).code()
    assert at_once(lambda: verification.check(ada, code).factor is not None) == 1
    connection.close()


@pytest.mark.clause("MF-01")
def test_one_recovery_code(ada: User) -> None:
    class Request:
        session = None

    enrol(ada)
    code = factors.make_codes(ada, request=Request())[0]  # type: ignore[arg-type]
    assert at_once(lambda: verification.check(ada, code).factor is not None) == 1
    assert factors.codes_left(ada) == 9
    connection.close()


@pytest.mark.clause("MF-02")
def test_parallel_guesses_are_one_guess(ada: User) -> None:
    wrong = enrol(ada).wrong()
    at_once(lambda: verification.check(ada, wrong).factor is not None)
    assert TotpDevice.objects.get().throttling_failure_count <= 2  # the second only when the first wait was over
    connection.close()


def test_parallel_additions_stay_below_the_most(ada: User) -> None:
    def add() -> bool:
        from tests.support.authenticator import App

        enrolment = factors.begin(ada)
        return factors.add(ada, sealed=enrolment.sealed, code=App(enrolment.manual_key).code(), name="x") is not None

    assert at_once(add) == factors.MOST
    connection.close()
