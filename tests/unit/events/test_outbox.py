"""enqueue(): a sealed row in the caller's transaction, a wake-up after it, and nothing that a broken broker can spoil."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from idp.events import outbox
from idp.events.models import Delivery
from idp.kernel import clock, context, sealing

MAIL = {"to": "ada@example.org", "subject": "Your code", "text": "canary-918273"}


class Broker:
    """Stands for Celery's broker: counts wake-ups, fails or hangs on demand."""

    def __init__(self) -> None:
        self.published = 0
        self.request_id = ""
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> None:
        self.gate.wait(5)
        if self.error:
            raise self.error
        self.published += 1
        self.request_id = context.current().request_id


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    outbox._waker.flush()
    stand_in = Broker()
    monkeypatch.setattr(outbox, "publish_wake_up", stand_in)
    yield stand_in
    stand_in.gate.set()
    assert outbox._waker.flush(5)


@pytest.mark.django_db(transaction=True)
def test_the_row_is_in_the_transaction_and_the_wake_up_after_it(broker: Broker) -> None:
    with transaction.atomic():
        outbox.enqueue(receiver="mail", payload=MAIL)
        outbox._waker.flush()
        assert broker.published == 0
    assert outbox._waker.flush()
    assert broker.published == 1
    delivery = Delivery.objects.get()
    assert (delivery.receiver, delivery.state, delivery.attempts, delivery.dedupe_key) == ("mail", "waiting", 0, None)
    assert delivery.due_at <= clock.now()


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_change_leaves_no_row_and_wakes_nobody(broker: Broker) -> None:
    def change() -> None:
        with transaction.atomic():
            outbox.enqueue(receiver="mail", payload=MAIL)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    outbox._waker.flush()
    assert not Delivery.objects.exists()
    assert broker.published == 0


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_fail_the_change(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.error = ConnectionError("redis://:canary-918273@localhost refused")
    with transaction.atomic():
        outbox.enqueue(receiver="mail", payload=MAIL)
    assert outbox._waker.flush()
    assert Delivery.objects.get().state == "waiting"
    assert "ConnectionError" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_hangs_does_not_delay_the_change(broker: Broker) -> None:
    broker.gate.clear()
    began = time.monotonic()
    for _ in range(5):
        outbox.enqueue(receiver="mail", payload=MAIL)
    assert time.monotonic() - began < 1
    broker.gate.set()
    assert outbox._waker.flush(5)
    # Those that came meanwhile became one: the worker takes all that is due.
    assert 1 <= broker.published <= 2


@pytest.mark.django_db
def test_the_payload_is_sealed_for_its_own_row() -> None:
    outbox.enqueue(receiver="mail", payload=MAIL)
    outbox.enqueue(receiver="mail", payload=MAIL)
    first, second = Delivery.objects.all()
    assert "canary" not in first.payload
    assert b"canary-918273" in sealing.unseal(first.payload, purpose=outbox.purpose(first.pk))
    with pytest.raises(sealing.SealBroken):
        sealing.unseal(first.payload, purpose=outbox.purpose(second.pk))


@pytest.mark.django_db
def test_the_same_message_is_taken_once() -> None:
    for _ in range(3):
        outbox.enqueue(receiver="mail", payload=MAIL, dedupe_key="welcome:ada", expires_at=clock.now() + timedelta(hours=1))
    outbox.enqueue(receiver="mail", payload=MAIL, dedupe_key="welcome:bob")
    assert Delivery.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(("receiver", "payload", "error"), [("pigeon", MAIL, KeyError), ("mail", {"to": object()}, TypeError)])
def test_a_mistake_of_the_caller_is_an_error_at_once(receiver: str, payload: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        outbox.enqueue(receiver=receiver, payload=payload)


@pytest.mark.django_db(transaction=True)
def test_the_wake_up_is_the_request_s(broker: Broker) -> None:
    entered = context.enter(context.RequestContext(request_id="request-0001"))
    try:
        outbox.enqueue(receiver="mail", payload=MAIL)
    finally:
        context.leave(entered)
    assert outbox._waker.flush(5)
    assert broker.request_id == "request-0001"
