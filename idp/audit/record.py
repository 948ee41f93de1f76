"""A log row in the form that is hashed: facts as they are, personal data as commitments."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from idp.audit.verifier import commitment
from idp.events.catalogue import CATALOGUE
from idp.events.models import EventRecord

SALT_BYTES = 16


def personal_values(row: EventRecord) -> dict[str, Any]:
    """What the row holds about a person: columns, and fields of `data` that the catalogue marks, as `data.<field>`."""
    values: dict[str, Any] = {
        "person": str(row.person) if row.person else "",
        "by": str(row.by) if row.by else "",
        "ip": row.ip,
        "user_agent": row.user_agent,
    }
    for field in CATALOGUE[row.name].personal if row.name in CATALOGUE else ():
        values[f"data.{field}"] = row.data.get(field, "")
    return {name: value for name, value in values.items() if value not in ("", None)}


def commit(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Commitments for `values`, and the salts that open them; each value can be forgotten without the others."""
    salts = {name: secrets.token_bytes(SALT_BYTES) for name in values}
    return {name: commitment(salts[name], value) for name, value in values.items()}, {name: salt.hex() for name, salt in salts.items()}


def facts(row: EventRecord, *, stream: str, seq: int, commitments: Mapping[str, str]) -> dict[str, Any]:
    """What the link's hash covers. Fields of `data` that are committed to are left out."""
    return {
        "v": 1,
        "stream": stream,
        "seq": seq,
        "id": str(row.pk),
        "name": row.name,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "client_id": row.client_id,
        "request_id": row.request_id,
        "sequence": row.sequence,
        "data": {name: value for name, value in row.data.items() if f"data.{name}" not in commitments},
        "personal": dict(commitments),
    }
