"""Client tokens that were revoked before their time."""

from __future__ import annotations

from datetime import UTC, datetime

from idp.kernel import db
from idp.kernel.clock import now
from idp.oidc.models import RevokedToken


def is_denied(jti: str) -> bool:
    """Whether this client token was revoked. One SQL."""
    return db.row("SELECT 1 FROM oidc_revoked_token WHERE jti = %s", [jti]) is not None


def deny(jti: str, *, exp: int) -> None:
    """Answer this client token as inactive from now on."""
    RevokedToken.objects.get_or_create(jti=jti, defaults={"expires_at": datetime.fromtimestamp(exp, UTC)})


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of entries that have expired anyway; returns how many."""
    old = list(RevokedToken.objects.filter(expires_at__lt=now()).values_list("pk", flat=True)[:limit])
    return RevokedToken.objects.filter(pk__in=old).delete()[0] if old else 0
