"""End a browser session and what depended on it."""

from __future__ import annotations

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest

from idp import sessions
from idp.events import catalogue, emit
from idp.kernel.clock import now
from idp.oidc.client_sessions import participants
from idp.oidc.issuance import families

from . import back_channel, front_channel


def end_session(request: HttpRequest, *, client_id: str | None = None) -> list[str]:
    """Sign this browser out: the session row, unredeemed codes and every token that does not outlive the session (hostile case LO-06).

    Clients with a back channel are told through the outbox; answers the front-channel addresses that the browser has to load.
    """
    session = sessions.current(request)
    frames: list[str] = []
    with transaction.atomic():
        if session is not None:
            clients = participants.take(session.sid)
            frames = front_channel.addresses(clients, sid=session.sid)
            for client in clients:
                back_channel.enqueue(client, sid=session.sid, user_id=session.person.pk)
            families.revoke_of_session(session.sid, now=now())
            emit(catalogue.SessionEnded(reason="logout", sid=session.sid, client_id=client_id), person=session.person.pk)
        logout(request)
    return frames
