"""Who wants an event: one outbox row per receiver, in the transaction of the event.

Receivers of events are objects in the table `settings.EVENT_RECEIVERS`, see `idp/notifications/receivers/__init__.py`. They are
asked by name only, and answer without SQL while nothing changes: this runs for every token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils.module_loading import import_string

from idp.events import outbox
from idp.events.catalogue import AccountErased, Event, priority_of
from idp.events.models import Delivery, Lane
from idp.kernel import db


class Wants(Protocol):
    """The part of a receiver of events that decides who gets one."""

    def targets(self, event: Event) -> Sequence[str]:
        """For whom there will be a delivery: identifiers (at most 36 characters), or one empty text; nothing = not wanted."""


def receivers() -> dict[str, Any]:
    """The table, with every path imported."""
    return _imported(tuple(settings.EVENT_RECEIVERS.items()))


@lru_cache(maxsize=8)
def _imported(table: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {name: import_string(path) for name, path in table}


def spread(event: Event, *, identifier: UUID, person: UUID | None, sequence: int | None, moment: datetime) -> None:
    """Make the deliveries of an event that was just written."""
    wanted = [(name, target) for name, receiver in receivers().items() for target in receiver.targets(event)]
    if isinstance(event, AccountErased) and person is not None:
        forget_waiting(person, moment=moment)
    if wanted:
        deliver([(identifier, event.name, person, sequence)], to=wanted, moment=moment, priority=priority_of(event.name))


def deliver(
    events: Sequence[tuple[UUID, str, UUID | None, int | None]], *, to: Sequence[tuple[str, str]], moment: datetime, priority: int
) -> None:
    """Put `events` (id, name, person, sequence) in the line of each receiver and target, and wake a worker after the commit."""
    rows = [
        Delivery(
            receiver=receiver,
            target=target,
            event=identifier,
            name=name,
            person=person,
            lane=identifier if person is None or sequence is None else person,
            sequence=sequence,
            payload="",
            due_at=moment,
            created_at=moment,
            waiting_since=moment,
        )
        for identifier, name, person, sequence in events
        for receiver, target in to
    ]
    Delivery.objects.bulk_create(rows)
    open_lanes([(row.receiver, row.target, row.lane) for row in rows if row.lane], moment=moment, priority=priority)


def open_lanes(lanes: Sequence[tuple[str, str, UUID]], *, moment: datetime, priority: int, unblock: bool = False) -> None:
    """Say that there is work in these lanes (receiver, target, key). One that exists only learns that something was added:
    somebody has it, or it waits for its turn, or its first message is dead. With `unblock` the latter is looked at again.
    """
    distinct = sorted(set(lanes))  # one order for everybody: no deadlock
    values = ", ".join(["(%s, %s, %s, %s, %s, '', 1)"] * len(distinct))
    least = "MIN" if connection.vendor == "sqlite" else "LEAST"
    due = ", due_at = coalesce(events_lane.due_at, excluded.due_at)" if unblock else ""
    db.change(
        f"INSERT INTO events_lane (receiver, target, key, priority, due_at, owner, version) VALUES {values} "
        "ON CONFLICT (receiver, target, key) DO UPDATE SET version = events_lane.version + 1, "
        f"priority = {least}(events_lane.priority, excluded.priority){due}",
        [value for receiver, target, key in distinct for value in (receiver, target, key, priority, moment)],
    )
    outbox.wake_after_commit()


def forget_waiting(person: UUID, *, moment: datetime) -> None:
    """The person is erased: what has not left yet stays here, and the erasure is the next thing that leaves (EV-10)."""
    Delivery.objects.filter(person=person).exclude(state=Delivery.State.DONE).update(
        state=Delivery.State.EXPIRED, payload="", log=[], last_error="the account was erased", done_at=moment, lease_owner=""
    )
    Delivery.objects.filter(Q(person=person), state=Delivery.State.DONE).update(payload="", log=[])
    Lane.objects.filter(key=person, due_at=None).update(due_at=moment)
