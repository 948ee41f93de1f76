"""The clients that take part in a browser session and want to hear of its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from idp.kernel import db
from idp.kernel.clock import now
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.models import ClientSession


def remember(*, sid: str, client: ClientPolicy, user_id: UUID, moment: datetime) -> None:
    """Note that `client` got an answer in the session. Nothing is written for clients without logout address, or twice."""
    if client.frontchannel_logout_uri or client.backchannel_logout_uri:
        db.change(
            "INSERT INTO oidc_client_session (sid, client_id, user_id, created_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [sid, client.pk, user_id, moment],
        )


def take(sid: str) -> list[ClientPolicy]:
    """The participants of a session that ends now; they are forgotten with it."""
    rows = db.rows("DELETE FROM oidc_client_session WHERE sid = %s RETURNING client_id", [sid])
    return [policy for row in rows if (policy := cache.by_pk(row[0])) is not None]


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of rows of sessions that ended by themselves; returns how many."""
    edge = now() - timedelta(seconds=settings.IDP.session_absolute_seconds)
    old = list(ClientSession.objects.filter(created_at__lt=edge).values_list("pk", flat=True)[:limit])
    return ClientSession.objects.filter(pk__in=old).delete()[0] if old else 0
