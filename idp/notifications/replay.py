"""Events once more: a range, a person, or some kinds, to one receiver; with the id that they had."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from idp.events import catalogue, emit, fanout
from idp.events.catalogue import CATALOGUE, Event, Priority
from idp.events.models import Delivery, EventRecord
from idp.events.partitions import first_id
from idp.kernel import clock

BATCH = 200


def choose(
    *, person: UUID | None = None, names: Sequence[str] = (), since: datetime | None = None, until: datetime | None = None
) -> QuerySet[EventRecord]:
    """Records of the log by person, kind and time (`until` excluded), in the order of their ids."""
    rows = EventRecord.objects.order_by("id")
    if person is not None:
        rows = rows.filter(person=person)
    if names:
        rows = rows.filter(name__in=names)
    if since is not None:
        rows = rows.filter(pk__gte=first_id(since))
    if until is not None:
        rows = rows.filter(pk__lt=first_id(until))
    return rows


def replay(chosen: QuerySet[EventRecord], *, receiver: str, target: str = "", by: UUID | None = None) -> int:
    """Send each of `chosen` again that `receiver` wants (only to `target`, if given); returns how many deliveries that are.

    They wait behind everything else. A delivery that is under way stays as it is. Raises KeyError for an unknown receiver.
    """
    wants = fanout.receivers()[receiver]
    total = 0
    for batch in _batches(chosen):
        with transaction.atomic():
            moment = clock.now()
            wanted = [
                (record, one)
                for record in batch
                for event in [rebuilt(record)]
                if event is not None
                for one in wants.targets(event)
                if not target or one == target
            ]
            total += _again(wanted, receiver=receiver, moment=moment)
    emit(catalogue.EventsReplayed(receiver=receiver, count=total), by=by)
    return total


def rebuilt(record: EventRecord) -> Event | None:
    """The event that this record was written from; None when its kind is gone or has other fields now."""
    kind = CATALOGUE.get(record.name)
    if kind is None:
        return None
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in record.data.items() if name in names}
    if "client_id" in names:
        values["client_id"] = record.client_id
    try:
        return kind(**values)
    except TypeError:
        return None


def _again(wanted: Sequence[tuple[EventRecord, str]], *, receiver: str, moment: datetime) -> int:
    known = Delivery.objects.filter(receiver=receiver, event__in=[record.pk for record, _ in wanted])
    rows = {(row.event, row.target): row for row in known}
    back = [rows[record.pk, one] for record, one in wanted if (record.pk, one) in rows]
    repeated = [row for row in back if row.state in (Delivery.State.DONE, Delivery.State.DEAD)]
    Delivery.objects.filter(pk__in=[row.pk for row in repeated]).update(
        state=Delivery.State.WAITING, waiting_since=moment, due_at=moment, done_at=None
    )
    lanes = [(row.receiver, row.target, row.lane) for row in repeated if row.lane]
    if lanes:
        fanout.open_lanes(lanes, moment=moment, priority=Priority.BULK, unblock=True)
    fresh = [(record, one) for record, one in wanted if (record.pk, one) not in rows]
    for target in dict.fromkeys(one for _, one in fresh):
        events = [(record.pk, record.name, record.person, record.sequence) for record, one in fresh if one == target]
        fanout.deliver(events, to=[(receiver, target)], moment=moment, priority=Priority.BULK)
    return len(repeated) + len(fresh)


def _batches(chosen: QuerySet[EventRecord]) -> Iterator[list[EventRecord]]:
    after: UUID | None = None
    while True:
        rows = chosen if after is None else chosen.filter(pk__gt=after)
        batch = list(rows[:BATCH])
        if not batch:
            return
        yield batch
        after = batch[-1].pk
