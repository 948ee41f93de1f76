"""One code, twenty hands: exactly one success; sixteen wrong guesses at once: one is looked at (hostile case MF-01)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, connections

from idp.accounts.models import User
from idp.events.models import Delivery
from idp.kernel.clock import now
from idp.mfa import factors, reset, sending, verification
from idp.mfa.models import Mailbox, Phone, TotpDevice, sent_code_digest
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


@pytest.fixture
def texting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"sms_codes": True}))


@pytest.mark.clause("MF-01")
@pytest.mark.usefixtures("texting")
def test_one_code_by_text_message(ada: User) -> None:
    phone = Phone(user=ada, name="", number="+4915123456789")
    phone.save()
    Phone.objects.filter(pk=phone.pk).update(digest=sent_code_digest(phone, "123456"), until=now() + Phone.LIFE)
    assert at_once(lambda: verification.check(ada, "123456").factor is not None) == 1
    connection.close()


@pytest.mark.clause("MF-01")
def test_one_code_by_mail(ada: User) -> None:
    mailbox = sending.mailbox_of(ada)
    Mailbox.objects.filter(pk=mailbox.pk).update(digest=sent_code_digest(mailbox, "123456"), until=now() + Mailbox.LIFE)
    assert at_once(lambda: verification.check_mail(ada, "123456").factor is not None) == 1
    connection.close()


def test_codes_asked_for_at_once_are_one_message(ada: User) -> None:
    mailbox = sending.mailbox_of(ada)
    assert at_once(lambda: sending.send(mailbox) == "sent") == 1
    assert Delivery.objects.filter(receiver="mail").count() == 1
    connection.close()


def test_one_reset_is_decided_once(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"reset_needs_approval": True}))
    enrol(ada)
    waiting = reset.ask(ada, reason="Lost", source="command")
    alan = make_person(email="alan@example.org")

    def approve() -> bool:
        try:
            reset.approve(waiting.pk, by=alan)
        except reset.NotPossible:
            return False
        return True

    assert at_once(approve) == 1
    assert User.objects.get(pk=ada.pk).credential_epoch == ada.credential_epoch + 1
    connection.close()


def test_resets_asked_for_at_once_wait_once(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"reset_needs_approval": True}))
    enrol(ada)

    def ask() -> bool:
        try:
            reset.ask(ada, reason="Lost", source="command")
        except reset.NotPossible:
            return False
        return True

    assert at_once(ask) == 1
    connection.close()


def test_a_browser_is_trusted_once(ada: User) -> None:
    from django.http import HttpResponse
    from django.test import RequestFactory

    from idp.mfa import trust
    from idp.mfa.models import TrustedBrowser

    def begin() -> bool:
        request = RequestFactory().post("/")
        request.COOKIES[trust.cookie_name()] = "x" * 43
        trust.begin(request, HttpResponse(), ada)
        return True

    assert at_once(begin) == HANDS
    assert 1 <= TrustedBrowser.objects.count() <= trust.MOST, "each with a value of its own; the person sees and ends them"
    connection.close()
