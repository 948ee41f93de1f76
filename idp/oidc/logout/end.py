"""End a browser session and what depended on it."""

from __future__ import annotations

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest

from idp import sessions
from idp.events import catalogue, emit
from idp.kernel.clock import now
from idp.oidc.issuance import families


def end_session(request: HttpRequest, *, client_id: str | None = None) -> None:
    """Sign this browser out: the session row, unredeemed codes and every token that does not outlive the session (hostile case LO-06)."""
    session = sessions.current(request)
    with transaction.atomic():
        if session is not None:
            families.revoke_of_session(session.sid, now=now())
            emit(catalogue.SessionEnded(reason="logout", sid=session.sid, client_id=client_id), person=session.person.pk)
        logout(request)
