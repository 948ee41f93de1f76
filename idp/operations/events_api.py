"""`GET /api/v1/events`: the event log for services of yours, from any point on, page by page.

A service presents an access token of its own (client credentials) with the scope `events.read`, which only the operator gives.
Persons are told as `sub`; addresses, browsers and personal fields need `events.read_personal` in addition.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from idp.events import reading
from idp.events.catalogue import CATALOGUE
from idp.events.models import EventRecord
from idp.ssf import access

READ, READ_PERSONAL = "events.read", "events.read_personal"
MOST = 500
USUAL = 100


def events(request: HttpRequest) -> HttpResponse:
    """One page. Query: `after` (an event's id), `limit`, `name` (repeated), `sub`. The answer's `next` is the `after` of the next page."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    authorization = request.headers.get("Authorization", "")
    try:
        access.client_of(authorization, scopes=(READ,))
    except access.Denied as denied:
        return _challenge(denied)
    try:
        access.client_of(authorization, scopes=(READ_PERSONAL,))
        personal = True
    except access.Denied:
        personal = False
    try:
        after, person = _id(request, "after"), _id(request, "sub")
        most = int(request.GET.get("limit", USUAL))
        names = request.GET.getlist("name")
        if not 1 <= most <= MOST or len(names) > len(CATALOGUE) or not all(name in CATALOGUE for name in names):
            raise ValueError
    except ValueError:
        text = f"after and sub are ids, limit is 1 to {MOST}, name is an event's name"
        return JsonResponse({"error": "invalid_request", "error_description": text}, status=400, headers={"Cache-Control": "no-store"})
    found, more = reading.page(after=after, most=most, names=names, person=person)
    last = found[-1].pk if found else after
    document = {"events": [_told(row, personal=personal) for row in found], "next": str(last) if last else None, "more": more}
    return JsonResponse(document, headers={"Cache-Control": "no-store"})


def _told(row: EventRecord, *, personal: bool) -> dict[str, Any]:
    hidden = () if personal else getattr(CATALOGUE.get(row.name), "personal", ())
    told: dict[str, Any] = {
        "id": str(row.pk),
        "type": row.name,
        "timestamp": row.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sub": str(row.person) if row.person else None,
        "sequence": row.sequence,
        "by": str(row.by) if row.by else None,
        "client_id": row.client_id or None,
        "data": {name: value for name, value in row.data.items() if name not in hidden},
    }
    if personal:
        told |= {"ip": row.ip, "user_agent": row.user_agent, "request_id": row.request_id}
    return told


def _id(request: HttpRequest, name: str) -> UUID | None:
    text = request.GET.get(name, "")
    return UUID(text) if text else None


def _challenge(denied: access.Denied) -> HttpResponse:
    # RFC 6750 3: no error for a request without any token.
    challenge = 'Bearer realm="events"' + (f', error="{denied.error}"' if denied.error else "")
    if denied.status == 403:
        challenge += f', scope="{READ}"'
    headers = {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
    return JsonResponse({"error": denied.error or "unauthorized"}, status=denied.status, headers=headers)
