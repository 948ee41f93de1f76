"""The log read from any point on, without missing what commits late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection

from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.kernel import clock

# Clocks of web processes and database may differ by so much; on SQLite, what a transaction may take from the id to its commit.
LAG = timedelta(seconds=2)


def page(*, after: UUID | None, most: int, names: Sequence[str] = (), person: UUID | None = None) -> tuple[list[EventRecord], bool]:
    """Up to `most` records behind `after` in the order of their ids, and whether there are more already.

    Ids are made before the commit. So nothing is told that is younger than the oldest transaction that runs: whatever that still
    commits has an id behind the last one that was read, and no reader passes it by.
    """
    rows = EventRecord.objects.filter(pk__lt=_settled()).order_by("id")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    if names:
        rows = rows.filter(name__in=names)
    if person is not None:
        rows = rows.filter(person=person)
    found = list(rows[: most + 1])
    return found[:most], len(found) > most


def _settled() -> UUID:
    oldest = clock.now()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )
            began = cursor.fetchone()[0]
        if began is not None:
            oldest = min(oldest, began)
    return first_id(oldest - LAG)
