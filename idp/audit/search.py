"""Find log rows: by person, client, kind, time, reference. Whole identifiers only, so that an index or a range answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from idp.accounts.emails import canonical_email
from idp.accounts.models import User
from idp.events.catalogue import CATALOGUE
from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.kernel import clock
from idp.oidc.models import RefusedRequest

MOST_TERMS = 5
LONGEST_REFERENCE = 16
_AGO = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def find(
    *,
    person: str | None = None,
    client_id: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    reference: str | None = None,
) -> QuerySet[EventRecord]:
    """Rows that fit everything that is given, newest first.

    `person` is an e-mail address or `sub` (also of who did it), `kind` an event's name or the subject before its dot, `reference` what
    an error page showed, or a request id. Raises ValueError for a person who does not exist and a kind that is not in the catalogue.
    """
    rows = EventRecord.objects.order_by("-id")
    if person:
        rows = rows.filter(_about(person) or _nobody())
    if client_id:
        rows = rows.filter(client_id=_clean(client_id))
    if kind:
        names = [name for name in CATALOGUE if kind in (name, name.partition(".")[0])]
        if not names:
            raise ValueError("there is no such kind of event: see docs/events.md")
        rows = rows.filter(name__in=names)
    if since:
        rows = rows.filter(pk__gte=first_id(since))
    if until:
        rows = rows.filter(pk__lt=first_id(until))
    if reference:
        rows = rows.filter(request_id=_request_id(reference))
    return rows


def narrow(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """What somebody typed into one field: up to five identifiers, all of which must fit."""
    for term in text.split()[:MOST_TERMS]:
        wanted = Q(request_id=_request_id(term)) | Q(client_id=_clean(term))
        about = _about(term)
        rows = rows.filter(wanted | about if about else wanted)
    return rows


def moment(text: str | None) -> datetime | None:
    """ISO 8601 (UTC unless it says otherwise), or how long ago: `90m`, `36h`, `7d`. Raises ValueError."""
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return clock.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year < 1971:  # identifiers count from 1970 (RFC 9562 5.7)
        raise ValueError("not a time: write 2026-03-01, 2026-03-01T12:00 or 36h")
    return found


def described(row: EventRecord) -> dict[str, Any]:
    """A row as JSON."""
    return {
        "id": str(row.pk),
        "at": row.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "name": row.name,
        "person": str(row.person) if row.person else None,
        "by": str(row.by) if row.by else None,
        "client_id": row.client_id,
        "ip": row.ip,
        "user_agent": row.user_agent,
        "request_id": row.request_id,
        "data": row.data,
    }


def _about(term: str) -> Q | None:
    try:
        wanted: UUID | None = UUID(term)
    except ValueError:
        wanted = None
        if "@" in term:
            try:
                wanted = User.objects.filter(email=canonical_email(term)).values_list("pk", flat=True).first()
            except ValidationError:
                return None
    return None if wanted is None else Q(person=wanted) | Q(by=wanted)


def _nobody() -> Q:
    raise ValueError("there is no such person: give an e-mail address or a sub")


def _request_id(text: str) -> str:
    clean = _clean(text)
    if len(clean) <= LONGEST_REFERENCE:
        found = RefusedRequest.objects.filter(reference=clean.upper()).values_list("request_id", flat=True).first()
        if found:
            return str(found)
    return clean


def _clean(text: str) -> str:
    return text.replace("\x00", "")
