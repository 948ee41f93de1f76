"""Plain SQL that runs on PostgreSQL and on SQLite alike.

The hot protocol paths write their statements by hand: one `UPDATE ... RETURNING` is the claim primitive of everything
that is used once, and compiling ORM queries would cost more than the statement itself. Values cross this border only
through the functions below.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection


def rows(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows (SELECT, or a change with RETURNING)."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [_out(value) for value in parameters])
        return list(cursor.fetchall())


def row(sql: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Like `rows`, for a statement that concerns at most one row."""
    found = rows(sql, parameters)
    return found[0] if found else None


def change(sql: str, parameters: Sequence[Any]) -> int:
    """Run a change and return how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [_out(value) for value in parameters])
        return int(cursor.rowcount)


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return value


def as_time(value: Any) -> datetime:
    """A timestamp column (which must not be NULL), aware, in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_uuid(value: Any) -> UUID:
    """A UUID column (which must not be NULL)."""
    return value if isinstance(value, UUID) else UUID(value)


def as_json(value: Any) -> Any:
    """A JSON column."""
    return json.loads(value) if isinstance(value, str | bytes) else value
