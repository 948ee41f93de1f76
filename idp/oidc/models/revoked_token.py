"""Access tokens without a family (client credentials) that were revoked before they expired."""

from __future__ import annotations

from django.db import models


class RevokedToken(models.Model):
    """A `jti` that introspection answers as inactive until it would have expired anyway (RFC 7009 2.1)."""

    jti = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "oidc_revoked_token"

    def __str__(self) -> str:
        return self.jti
