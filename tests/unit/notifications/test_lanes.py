"""Lanes: who gets one, for how long, and which comes first."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.conf import settings

from idp.events import fanout, outbox
from idp.events.catalogue import Priority, priority_of
from idp.events.models import Lane
from idp.kernel import clock
from idp.notifications import lanes

pytestmark = pytest.mark.django_db
ADA, BOB, GRACE = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)


def work(person: UUID, priority: int = Priority.NORMAL) -> None:
    fanout.open_lanes([("agent", "", person)], moment=clock.now(), priority=priority)


def test_security_leaves_before_account_changes_and_those_before_the_daily_traffic() -> None:
    names = ("tokens.refreshed", "profile.changed", "account.disabled")
    for name, person in zip(names, (ADA, BOB, GRACE), strict=True):
        work(person, priority_of(name))
    assert [lanes.claim(1)[0].key for _ in names] == [GRACE, BOB, ADA]


def test_a_lane_is_as_urgent_as_its_most_urgent_event() -> None:
    work(ADA, Priority.NORMAL)
    work(BOB, Priority.BULK)
    work(BOB, Priority.URGENT)
    work(BOB, Priority.BULK)
    assert lanes.claim(1)[0].key == BOB


def test_the_lane_of_a_dead_worker_is_taken_when_its_lease_is_over() -> None:
    """FT-10; and whoever comes back too late can neither keep nor close nor let go of what is somebody else's now."""
    work(ADA)
    with time_machine.travel(clock.now() + timedelta(seconds=1), tick=False) as now:
        [first] = lanes.claim(8)
        assert lanes.claim(8) == []
        now.shift(timedelta(seconds=settings.DELIVERY_LEASE_SECONDS + 1))
        [second] = lanes.claim(8)
        assert second.key == first.key
        assert lanes._with_time_left([first]) == []
        assert lanes._look_again([first]) == []
        assert not lanes._close([first])
        assert not lanes._block([first])
        lanes.release([first], clock.now())
        assert lanes.claim(8) == []
        assert Lane.objects.get().owner == second.owner
        now.shift(timedelta(seconds=settings.DELIVERY_LEASE_SECONDS - 1))
        [renewed] = lanes._with_time_left([second])
        assert renewed.until > second.until


def test_lanes_whose_messages_have_left_already_do_not_end_the_run() -> None:
    """A run that ended in the middle leaves such lanes behind; the work after them must not wait for the sweep."""
    for number in range(3 * lanes.SLOTS):
        work(UUID(int=100 + number))
    lanes.deliver_events(seconds=20)
    assert not Lane.objects.exists()


def test_a_receiver_that_is_left_alone_keeps_nobody_else_waiting() -> None:
    work(ADA, Priority.URGENT)
    fanout.open_lanes([("webhook", "w", BOB)], moment=clock.now(), priority=Priority.BULK)
    assert [lane.receiver for lane in lanes.claim(8, paused=[("agent", "")])] == ["webhook"]
