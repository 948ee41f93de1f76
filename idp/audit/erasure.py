"""Forget what the log says about a person, and leave the chains whole."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from idp.audit import heads
from idp.audit.models import Opening
from idp.audit.record import personal_values
from idp.events.models import EventRecord

BATCH = 500


def forget(person: UUID) -> int:
    """Empty the personal columns and marked fields of every log row about `person`, and delete the salts; returns how many rows.

    Their commitments stay in the chain: without salt they say nothing. Of what `person` did to others as staff only the name goes.
    A row that is not sealed yet is sealed without them. One transaction: meanwhile nobody seals, so no salt appears behind our back.
    """
    count = 0
    with transaction.atomic():
        heads.hold()
        while rows := list(EventRecord.objects.filter(Q(person=person) | Q(by=person)).order_by("pk")[:BATCH]):
            for row in rows:
                _forget(row, person)
            count += len(rows)
    return count


def _forget(row: EventRecord, person: UUID) -> None:
    names = {"by", "ip", "user_agent"} if row.by == person else {"ip", "user_agent"} if row.by is None else set()
    if row.person == person:
        names |= {"person"} | {name for name in personal_values(row) if name.startswith("data.")}
    data = {name: value for name, value in row.data.items() if f"data.{name}" not in names}
    changes = {name: None if name in ("person", "by") else "" for name in names if not name.startswith("data.")}
    EventRecord.objects.filter(pk=row.pk).update(data=data, **changes)
    opening = Opening.objects.filter(event=row.pk).first()
    if opening is not None:
        opening.salts = {name: salt for name, salt in opening.salts.items() if name not in names}
        opening.save(update_fields=["salts"])
