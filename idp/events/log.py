"""`emit()`: one INSERT into the event log, in the caller's transaction, and one row per receiver that wants the event."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from idp.events.catalogue import CATALOGUE, Event, is_counted, stream_of
from idp.events.changes import Changes
from idp.events.identifiers import ordered
from idp.kernel import clock, context, db

if TYPE_CHECKING:
    from collections.abc import Mapping

# Plain SQL: the ORM would spend more time on building the statement than the database on executing it, and this runs in
# every token request. A test compares the columns with the model.
_COLUMNS = '"id", "stream", "name", "person", "by", "client_id", "at", "ip", "user_agent", "request_id", "data", "sequence"'
_VALUES = f"INSERT INTO events_eventrecord ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s"
_INSERT = f"{_VALUES}, NULL)"
# Counter and record in one statement. PostgreSQL: whoever counts second waits for the row of the first until that commits, so
# the order of the numbers is the order of the commits. SQLite: one writer at a time; a trigger writes the counter (`partitions`).
_COUNTED = {
    "postgresql": (
        'WITH head AS (INSERT INTO events_personsequence AS had ("person", "last") VALUES (%s, 1) '
        'ON CONFLICT ("person") DO UPDATE SET "last" = had."last" + 1 RETURNING "last") '
        f'{_VALUES}, (SELECT "last" FROM head)) RETURNING "sequence"'
    ),
    "sqlite": f'{_VALUES}, (SELECT coalesce(max("last"), 0) + 1 FROM events_personsequence WHERE "person" = %s)) RETURNING "sequence"',
}

_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in dataclasses.fields(kind) if field.name != "client_id")  # type: ignore[arg-type]
    for kind in CATALOGUE.values()
}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_MOST_TEXT = 512
_MOST_DATA = 4096


def emit(event: Event, *, person: UUID | None = None, by: UUID | None = None, changes: Changes | None = None) -> None:
    """Record what happened, in the caller's transaction: rolled back with it, committed with it.

    The moment, the address, the user agent and the request id are taken from the clock and from `kernel.context`.

    Parameters: `person` is whom it concerns, `by` who did it if that is somebody else (staff),
    `changes` what it did to the thing, member by member (`changes.diff`): kept as the member `changes` of `data`.
    Raises: KeyError for a type that is not in the catalogue; whatever the database raises.
    """
    found: dict[str, Any] = {}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        if value is not None and value != ():
            found[name] = value
    if changes:
        found["changes"] = changes
    data = _encode(found) if found else "{}"
    if "\\u" in data or len(data) > _MOST_DATA:
        data = _encode(_storable(found))
    here = context.current()
    identifier, moment = ordered(), clock.now()
    values = (
        identifier,
        stream_of(event.name).value,
        event.name,
        person,
        by,
        _text(getattr(event, "client_id", None), 255),
        moment,
        _text(here.ip, 45),
        _text(here.user_agent, 300),
        _text(here.request_id, 64),
        data,
    )
    sequence = None
    if person is None or not is_counted(event.name):
        db.defer(_INSERT, values)
    elif connection.vendor == "sqlite":
        sequence = db.rows(_COUNTED["sqlite"], (*values, person))[0][0]
    else:
        sequence = db.rows(_COUNTED["postgresql"], (person, *values))[0][0]
    from idp.events import fanout  # reads models, which do not exist yet when the app registry imports this package

    fanout.spread(event, identifier=identifier, person=person, sequence=sequence, moment=moment)


def _text(value: str | None, most: int) -> str:
    """What PostgreSQL can store: no NUL, no lone surrogate, bounded. Headers are the caller's to choose."""
    if not value:
        return ""
    if not value.isascii() or "\x00" in value:
        value = value.encode("utf-8", "replace").decode().replace("\x00", "")
    return value[:most]


def _storable(data: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, str):
            clean[name] = _text(value, _MOST_TEXT)
        elif isinstance(value, tuple):
            clean[name] = [_text(item, _MOST_TEXT) for item in value[:32]]
        else:
            clean[name] = value
    return clean
