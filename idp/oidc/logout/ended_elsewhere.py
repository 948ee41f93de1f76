"""A session that ends without its browser: by its owner from another one, by staff, or because the account goes."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from idp import sessions
from idp.events import catalogue, emit
from idp.kernel.clock import now
from idp.oidc.client_sessions import participants
from idp.oidc.issuance import families

from . import back_channel


def end(user_id: UUID, sid: str, *, by: UUID | None = None) -> bool:
    """End one session and what apps got through it, but for access that the person allowed to last; tell apps that want to hear of it.

    False = no such session. The row is gone with the commit, on every node: nothing keeps a copy of a session. Clients with a front
    channel only learn of it when the browser next asks (Front-Channel Logout needs a browser).
    """
    with transaction.atomic():
        if not sessions.end_one(user_id, sid):
            return False
        for client in participants.take(sid):
            back_channel.enqueue(client, sid=sid, user_id=user_id)
        families.revoke_of_session(sid, now=now())
        emit(catalogue.SessionEnded(reason="revoked", sid=sid), person=user_id, by=by)
    return True


def end_all(user_id: UUID, *, by: UUID | None = None) -> int:
    """End every live session of a person; returns how many."""
    with transaction.atomic():
        return sum(end(user_id, row.sid, by=by) for row in sessions.of_person(user_id))
