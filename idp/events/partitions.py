"""Monthly partitions of the event log, per stream, on PostgreSQL; and what keeps the per-person sequence on SQLite.

`id` is a UUID version 7, so a month is a range of ids and the primary key stays one column for everybody who reads. Each
stream has a default partition beside its months: an event is never refused because nobody made the month in time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from idp.events.catalogue import KEPT, Stream
from idp.kernel import clock

TABLE = "events_eventrecord"
AHEAD = 2  # months made beforehand
BATCH = 1000
_NAMES = frozenset(stream.value for stream in Stream)
_MONTH = re.compile(rf"{TABLE}_([a-z]+)_(\d{{4}})(\d{{2}})", re.ASCII)

# SQLite knows no INSERT inside a SELECT: `log` reads the counter, this writes it, both in one statement.
_SQLITE_TRIGGER = (
    f"CREATE TRIGGER events_count AFTER INSERT ON {TABLE} WHEN NEW.sequence IS NOT NULL BEGIN "
    "INSERT OR REPLACE INTO events_personsequence (person, last) VALUES (NEW.person, NEW.sequence); END"
)


def first_id(moment: datetime) -> UUID:
    """The lowest UUID version 7 of this millisecond (RFC 9562 5.7)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def prepare(**_signal: Any) -> None:
    """After `migrate`: the table as it is meant to be, with the partitions of this month and the next ones."""
    if TABLE not in connection.introspection.table_names():
        return  # migrated back to nothing
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS events_count")
            cursor.execute(_SQLITE_TRIGGER)
    else:
        with transaction.atomic():
            if _value("SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", TABLE) == "r":
                _divide()
        make_ahead()


def make_ahead() -> list[str]:
    """Make the partitions of this month and the next ones; returns the names of those that were missing."""
    if connection.vendor == "sqlite":
        return []
    existing = set(_partitions())
    made = []
    month = _month(clock.now())
    for _ in range(AHEAD + 1):
        following = _month(month + timedelta(days=32))
        for stream in Stream:
            name = f"{TABLE}_{stream}_{month:%Y%m}"
            if name not in existing:
                _make(name, stream, first_id(month), first_id(following))
                made.append(name)
        month = following
    return made


def drop_expired() -> list[str]:
    """Drop the months of which every record is older than the catalogue wants it kept; returns their names."""
    if connection.vendor == "sqlite":
        return []
    dropped = []
    for name in _partitions():
        found = _MONTH.fullmatch(name)
        if found is None or found[1] not in _NAMES:
            continue
        end = _month(datetime(int(found[2]), int(found[3]), 1, tzinfo=UTC) + timedelta(days=32))
        if end <= clock.now() - KEPT[Stream(found[1])]:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '500ms'")  # those who write wait behind us
                cursor.execute(f'DROP TABLE "{name}"')
            dropped.append(name)
    return dropped


def delete_kept_long_enough() -> int:
    """Delete one batch of records that are older than the catalogue wants them kept and are in no month of their own."""
    deleted = 0
    for stream in Stream:
        table = TABLE if connection.vendor == "sqlite" else f"{TABLE}_{stream}_default"
        before = first_id(clock.now() - KEPT[stream])
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id < %s AND stream = %s ORDER BY id LIMIT {BATCH})",
                [before.hex if connection.vendor == "sqlite" else before, stream.value],
            )
            deleted += cursor.rowcount
    return deleted


def _divide() -> None:
    """Replace the plain table that the migration made by a partitioned one with the same columns, indexes and rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass(%s) AND NOT indisprimary", [TABLE])
        indexes = [row[0] for row in cursor.fetchall()]
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {TABLE}_plain")
        cursor.execute(f"CREATE TABLE {TABLE} (LIKE {TABLE}_plain INCLUDING DEFAULTS) PARTITION BY LIST (stream)")
        for stream in Stream:
            cursor.execute(f"CREATE TABLE {TABLE}_{stream} PARTITION OF {TABLE} FOR VALUES IN ('{stream}') PARTITION BY RANGE (id)")
            cursor.execute(f"CREATE TABLE {TABLE}_{stream}_default PARTITION OF {TABLE}_{stream} DEFAULT")
        cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {TABLE}_plain")
        cursor.execute(f"DROP TABLE {TABLE}_plain")
        # `id` first: looked up by id alone, and the range of ids tells the planner which month it is in.
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id, stream)")
        for index in indexes:
            cursor.execute(index)


def _make(name: str, stream: Stream, first: UUID, end: UUID) -> None:
    # Attached, not created in place: that needs no exclusive lock on the table that everybody writes to. Whatever the default
    # partition took for this month moves over first.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '500ms'")
        cursor.execute(f'CREATE TABLE "{name}" (LIKE {TABLE} INCLUDING DEFAULTS)')
        default = f"{TABLE}_{stream}_default"
        cursor.execute(f"SELECT 1 FROM {default} WHERE id >= %s AND id < %s LIMIT 1", [first, end])
        if cursor.fetchone():
            cursor.execute(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE")
            cursor.execute(
                f'WITH moved AS (DELETE FROM {default} WHERE id >= %s AND id < %s RETURNING *) INSERT INTO "{name}" SELECT * FROM moved',
                [first, end],
            )
        cursor.execute(f'ALTER TABLE {TABLE}_{stream} ATTACH PARTITION "{name}" FOR VALUES FROM (%s) TO (%s)', [first, end])


def _partitions() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relid::regclass::text FROM pg_partition_tree(to_regclass(%s)) WHERE isleaf", [TABLE])
        return [row[0].rpartition(".")[2].strip('"') for row in cursor.fetchall()]


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _value(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
        return row[0] if row else None


def keep_in_order(*, batches: int = 100) -> int:
    """What beat does every hour: months made ahead, old ones dropped, old records deleted. Returns how many records it deleted."""
    try:
        make_ahead()
        drop_expired()
    except OperationalError as error:
        # A lock that was not free in time: the default partition takes what comes, and the next hour tries again.
        if connection.vendor == "sqlite" or getattr(error.__cause__, "sqlstate", "") != "55P03":
            raise
    total = 0
    for _ in range(batches):
        count = delete_kept_long_enough()
        total += count
        if not count:
            break
    return total
