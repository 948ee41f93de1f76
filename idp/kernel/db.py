"""Plain SQL that runs on PostgreSQL and on SQLite alike.

The hot protocol paths write their statements by hand: one `UPDATE ... RETURNING` is the claim primitive of everything
that is used once, and compiling ORM queries would cost more than the statement itself. Values cross this border only
through the functions below.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

_Model = TypeVar("_Model", bound=models.Model)


def rows(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows (SELECT, or a change with RETURNING)."""
    return _run(sql, parameters, returns_rows=True)[0]


def row(sql: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Like `rows`, for a statement that concerns at most one row."""
    found = rows(sql, parameters)
    return found[0] if found else None


def change(sql: str, parameters: Sequence[Any]) -> int:
    """Run a change and return how many rows it touched."""
    return _run(sql, parameters, returns_rows=False)[1]


def together(*statements: tuple[str, Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements, one after the other. On PostgreSQL all of them take one round trip."""
    database = _database()
    if _short_way(database):
        found: list[list[tuple[Any, ...]]] = database.run_together(statements)
        return found
    return [rows(sql, parameters) for sql, parameters in statements]


def defer(sql: str, parameters: Sequence[Any]) -> None:
    """A change that always succeeds or ends the transaction, and of which nobody asks how many rows it touched.

    In a transaction on PostgreSQL it leaves together with the statement after it, at the latest with COMMIT: a round trip less. What the
    database has against it is raised there. Elsewhere it is `change`.
    """
    database = _database()
    if database.in_atomic_block and _short_way(database):
        database.defer(sql, parameters)
    else:
        change(sql, parameters)


class _Own(threading.local):
    """The thread's connection: Django's look-up costs a tenth of a statement."""

    database: Any = None


_own = _Own()


def forget() -> None:
    """Look the thread's connection up again. For the one case in which it changes: an event loop began or ended in this thread."""
    _own.database = None


def give_back() -> None:
    """What Django does at the end of a request: the connection is dropped when it broke or is old. A transaction stays its owner's."""
    database = _own.database
    if database is not None and database.connection is not None and not database.in_atomic_block:
        database.close_if_unusable_or_obsolete()


def _database() -> Any:
    database = _own.database
    if database is None:
        database = _own.database = connections[DEFAULT_DB_ALIAS]
    return database


def _short_way(database: Any) -> bool:
    """Whether to go past Django's cursor: on PostgreSQL (idp.kernel.postgresql), unless somebody watches that cursor."""
    return database.vendor == "postgresql" and not database.is_watched


def _run(sql: str, parameters: Sequence[Any], *, returns_rows: bool) -> tuple[list[tuple[Any, ...]], int]:
    database = _database()
    if _short_way(database):
        found: tuple[list[tuple[Any, ...]], int] = database.run(sql, parameters)
        return found
    values = [_out(value) for value in parameters]
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return (list(cursor.fetchall()) if returns_rows else []), int(cursor.rowcount)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, dict | list):
        return _encode(value)
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
    if value == "{}":  # most are empty
        return {}
    return json.loads(value) if isinstance(value, str | bytes) else value


def columns(model: type[models.Model], alias: str) -> str:
    """All columns of a model for a SELECT, in the order that `instance` wants."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def instance(model: type[_Model], values: Sequence[Any]) -> _Model:
    """A model's object from the values of `columns`."""
    names, read = _fields(model)
    found = [None if value is None else convert(value) for convert, value in zip(read, values, strict=True)]
    return model.from_db("default", names, found)


_READ: dict[str, Callable[[Any], Any]] = {
    "BinaryField": bytes,
    "BooleanField": bool,
    "DateTimeField": as_time,
    "JSONField": as_json,
    "UUIDField": as_uuid,
}


@cache
def _fields(model: type[models.Model]) -> tuple[list[str], list[Callable[[Any], Any]]]:
    fields = model._meta.concrete_fields
    # A foreign key holds what its target's key is; a subclass of a field is read as that field.
    kinds = [(field.target_field if isinstance(field, models.ForeignKey) else field).get_internal_type() for field in fields]
    return [field.attname for field in fields], [_READ.get(kind, _as_it_is) for kind in kinds]


def _as_it_is(value: Any) -> Any:
    return value
