"""Claim, attempt, retry, give up: what happens to a row (reliability contract RC-01, RC-02, RC-10; rows EV, FT-08)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings

from idp.events.models import Delivery
from idp.kernel import clock
from idp.notifications import delivery
from idp.notifications.pause import LONGEST_PAUSE, pause
from idp.notifications.receivers import NotNow, Refused

from .conftest import Probe

Put = Callable[..., Delivery]
State = Delivery.State


@pytest.mark.django_db
def test_a_message_arrives_and_is_forgotten(waiting: Put, probe: Probe) -> None:
    row = waiting(text="canary-918273")
    assert delivery.deliver_due() == (1, False)
    assert probe.got == [(row.pk, {"text": "canary-918273"})]
    row.refresh_from_db()
    assert (row.state, row.payload, row.attempts, row.last_error) == (State.DONE, "", 1, "")
    assert row.done_at is not None
    assert delivery.deliver_due() == (0, False)


@pytest.mark.django_db
def test_the_longest_due_goes_first(waiting: Put, probe: Probe) -> None:
    for number in range(5):
        waiting(number=number)
    delivery.deliver_due()
    assert [payload["number"] for _, payload in probe.got] == [0, 1, 2, 3, 4]


@pytest.mark.django_db
def test_what_may_pass_is_tried_again_later_with_the_same_id_and_payload(waiting: Put, probe: Probe) -> None:
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        row = waiting(text="hello")
        probe.raises(NotNow("greylisted"))
        delivery.deliver_due()
        row.refresh_from_db()
        assert (row.state, row.attempts, row.last_error, row.lease_owner) == (State.WAITING, 1, "greylisted", "")
        assert clock.now() < row.due_at <= clock.now() + timedelta(seconds=10)
        assert delivery.deliver_due().taken == 0
        travel.shift(timedelta(seconds=11))
        probe.answer = lambda: None
        assert delivery.deliver_due().taken == 1
    assert probe.got == [(row.pk, {"text": "hello"})] * 2
    row.refresh_from_db()
    assert row.state == State.DONE


@pytest.mark.django_db
def test_a_refusal_is_final(waiting: Put, probe: Probe, caplog: pytest.LogCaptureFixture) -> None:
    row = waiting(text="canary-918273", seconds=600)
    probe.raises(Refused("recipient refused (550)"))
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error) == (State.DEAD, 1, "recipient refused (550)")
    assert "is dead" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.django_db
def test_a_receiver_that_breaks_is_temporary_and_its_words_stay_inside(
    waiting: Put, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    row = waiting(text="canary-918273")
    probe.raises(RuntimeError("smtp://user:canary-918273@host"))
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.WAITING, "error: RuntimeError")
    assert "canary" not in caplog.text


@pytest.mark.django_db
def test_what_has_expired_is_not_sent(waiting: Put, probe: Probe) -> None:
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        row = waiting(text="hello", seconds=60)
        travel.shift(timedelta(seconds=60))
        delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.payload) == (State.EXPIRED, "")
    assert probe.got == []


@pytest.mark.django_db
def test_after_a_day_it_gives_up(waiting: Put, probe: Probe) -> None:
    probe.raises(NotNow("greylisted"))
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        row = waiting(text="hello")
        while row.state == State.WAITING:
            travel.shift(LONGEST_PAUSE)
            delivery.deliver_due()
            row.refresh_from_db()
        assert clock.now() - row.created_at <= timedelta(hours=24, minutes=15)
    assert (row.state, row.last_error) == (State.DEAD, "gave up: greylisted")
    assert row.attempts > 90


def test_pauses_grow_with_jitter_and_never_pass_fifteen_minutes() -> None:
    for attempts in range(1, 60):
        pauses = [pause(attempts).total_seconds() for _ in range(200)]
        ceiling = min(900, 5 * 2**attempts)
        assert all(1 <= seconds <= ceiling for seconds in pauses)
        assert max(pauses) - min(pauses) > ceiling / 2


@pytest.mark.django_db
def test_a_receiver_that_is_unreachable_is_asked_once_per_run(waiting: Put, probe: Probe) -> None:
    for number in range(10):
        waiting(number=number)
    probe.raises(NotNow("smtp connection: TimeoutError", unreachable=True))
    assert delivery.deliver_due() == (1, False)
    assert len(probe.got) == 1
    assert Delivery.objects.filter(state=State.WAITING, attempts=0).count() == 9


@pytest.mark.django_db
def test_the_row_of_a_dead_worker_comes_due_again(waiting: Put, probe: Probe) -> None:
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        row = waiting(text="hello")
        lost = delivery.claim()
        assert lost is not None
        assert delivery.claim() is None
        travel.shift(settings.DELIVERY_LEASE_SECONDS)
        delivery.deliver_due()
        row.refresh_from_db()
        assert (row.state, row.attempts) == (State.DONE, 2)
        # The first worker was not dead, only slow: what it says now comes too late.
        probe.raises(NotNow("late"))
        delivery.attempt(lost)
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.DONE, "")


@pytest.mark.django_db
def test_a_payload_that_does_not_open_is_dead_not_in_the_way(waiting: Put, probe: Probe) -> None:
    row = waiting(text="moved")
    other = waiting(text="hello")
    Delivery.objects.filter(pk=row.pk).update(payload=other.payload)
    delivery.deliver_due()
    row.refresh_from_db()
    assert row.state == State.DEAD
    assert probe.got == [(other.pk, {"text": "hello"})]


@pytest.mark.django_db
def test_of_two_who_read_the_same_row_one_gets_it(waiting: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    row = waiting(text="hello")
    hexadecimal = delivery.secrets.token_hex

    def meanwhile(length: int) -> str:
        # Between our reading the row and our writing the lease another worker takes it.
        monkeypatch.setattr(delivery.secrets, "token_hex", hexadecimal)
        other = delivery.claim()
        assert other is not None
        assert other.pk == row.pk
        return hexadecimal(length)

    monkeypatch.setattr(delivery.secrets, "token_hex", meanwhile)
    assert delivery.claim() is None
    row.refresh_from_db()
    assert row.attempts == 1
