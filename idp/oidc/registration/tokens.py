"""Initial access tokens (RFC 7591 1.2) and registration access tokens (RFC 7592 1.1): random, stored as digests."""

from __future__ import annotations

import hmac
from datetime import datetime

from idp.kernel import db
from idp.kernel.clock import now
from idp.kernel.ids import digest, secret_token
from idp.oidc.models import Client, InitialAccessToken


def issue_initial(*, uses: int, expires_at: datetime) -> str:
    """An initial access token for `uses` registrations until `expires_at`; shown once."""
    token = secret_token(32)
    InitialAccessToken.objects.create(digest=digest(token), uses_left=uses, expires_at=expires_at)
    return token


def spend_initial(token: str) -> bool:
    """Claim one use; exactly as many callers succeed as there are uses. One UPDATE."""
    return (
        db.change(
            "UPDATE oidc_initial_access_token SET uses_left = uses_left - 1 WHERE digest = %s AND uses_left > 0 AND expires_at > %s",
            [digest(token), now()],
        )
        == 1
    )


def manages(client: Client, token: str) -> bool:
    """Whether `token` is this client's registration access token."""
    known = client.registration_token_digest
    return known is not None and hmac.compare_digest(bytes(known), digest(token))


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of initial access tokens that are used up or too old; returns how many."""
    return db.change(
        "DELETE FROM oidc_initial_access_token WHERE digest IN"
        " (SELECT digest FROM oidc_initial_access_token WHERE expires_at < %s OR uses_left < 1 LIMIT %s)",
        [now(), limit],
    )
