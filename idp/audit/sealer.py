"""Appends committed log rows to their chains; called by the schedule, so that `emit()` costs nothing more.

The order of a chain is the order of sealing. Ids of rows are ordered by when they were made, not by when they were committed:
a row that becomes visible late is sealed late, and every row is looked at until no transaction that may hold older ones runs.
"""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from idp.audit import heads
from idp.audit.models import FIRST_ID, Link, Opening, Sealer, Stream
from idp.audit.record import commit, facts, personal_values
from idp.audit.verifier import link_hash
from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.kernel import clock

BATCH = 500
RUN_SECONDS = 20.0
# Rows may become visible so much later than their id says, beyond the age of the oldest transaction: clocks that differ.
LAG = timedelta(minutes=10)
SETTLE_EVERY = 60_000  # milliseconds


def seal_due(*, seconds: float = RUN_SECONDS) -> int:
    """Seal what is committed, sign a head when it is time; returns how many rows were sealed. One at a time: others return at once."""
    stop = time.monotonic() + seconds
    sealed = 0
    settled_to = Sealer.objects.filter(pk=1).values_list("settled_to", flat=True).first()
    if settled_to is None:
        Sealer.objects.bulk_create([Sealer(pk=1)], ignore_conflicts=True)
        settled_to = FIRST_ID
    # A plain look first: on SQLite a transaction would take the one write lock for nothing.
    if waiting(settled_to).exists() or (_horizon_id().int - settled_to.int) >> 80 > SETTLE_EVERY:
        while time.monotonic() < stop:
            count = _seal_batch()
            sealed += count or 0
            if not count or count < BATCH:
                break
    heads.sign_if_due()
    return sealed


def waiting(settled_to: UUID) -> QuerySet[EventRecord]:
    """Rows that are in no chain yet."""
    linked = Link.objects.filter(event=OuterRef("pk"))
    return EventRecord.objects.filter(~Exists(linked), pk__gte=settled_to).order_by("pk")


def _seal_batch() -> int | None:
    with transaction.atomic():
        state = heads.lock()
        if state is None:
            return None
        horizon = _horizon_id()  # before the rows are read: what begins to run meanwhile is younger
        rows = list(waiting(state.settled_to)[:BATCH])
        streams = {stream.name: stream for stream in Stream.objects.all()}
        links, openings = [], []
        for row in rows:
            name = row.stream
            stream = streams.setdefault(name, Stream(name=name))
            commitments, salts = commit(personal_values(row))
            stream.seq += 1
            stream.hash = link_hash(bytes(stream.hash), facts(row, stream=name, seq=stream.seq, commitments=commitments))
            links.append(Link(event=row.pk, stream=name, seq=stream.seq, hash=stream.hash, commitments=commitments))
            if salts:
                openings.append(Opening(event=row.pk, salts=salts))
        Link.objects.bulk_create(links)
        Opening.objects.bulk_create(openings)
        for stream in {link.stream: streams[link.stream] for link in links}.values():
            stream.save()
        if len(rows) < BATCH and horizon > state.settled_to:
            Sealer.objects.filter(pk=1).update(settled_to=horizon)
        return len(rows)


def _horizon_id() -> UUID:
    oldest = clock.now()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT LEAST((SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
                             (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))
                """
            )
            began = cursor.fetchone()[0]
        if began is not None:
            oldest = min(oldest, began)
    return first_id(oldest - LAG)
