"""`emit()`: one INSERT into the event log, in the caller's transaction."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idp.events.catalogue import CATALOGUE, Event
from idp.events.identifiers import ordered
from idp.kernel import clock, context, db

if TYPE_CHECKING:
    from collections.abc import Mapping

# Plain SQL: the ORM would spend more time on building the statement than the database on executing it, and this runs in
# every token request. A test compares the columns with the model.
_INSERT = (
    'INSERT INTO events_eventrecord ("id", "name", "person", "by", "client_id", "at", "ip", "user_agent", "request_id", "data") '
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)

_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in dataclasses.fields(kind) if field.name != "client_id")  # type: ignore[arg-type]
    for kind in CATALOGUE.values()
}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_MOST_TEXT = 512
_MOST_DATA = 4096


def emit(event: Event, *, person: UUID | None = None, by: UUID | None = None) -> None:
    """Record what happened, in the caller's transaction: rolled back with it, committed with it.

    The moment, the address, the user agent and the request id are taken from the clock and from `kernel.context`.

    Parameters: `person` is whom it concerns, `by` who did it if that is somebody else (staff).
    Raises: KeyError for a type that is not in the catalogue; whatever the database raises.
    """
    found: dict[str, Any] = {}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        if value is not None and value != ():
            found[name] = value
    data = _encode(found) if found else "{}"
    if "\\u" in data or len(data) > _MOST_DATA:
        data = _encode(_storable(found))
    here = context.current()
    db.change(
        _INSERT,
        (
            ordered(),
            event.name,
            person,
            by,
            _text(getattr(event, "client_id", None), 255),
            clock.now(),
            _text(here.ip, 45),
            _text(here.user_agent, 300),
            _text(here.request_id, 64),
            data,
        ),
    )


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
