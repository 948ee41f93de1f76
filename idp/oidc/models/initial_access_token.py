"""Permission to register clients."""

from __future__ import annotations

from django.db import models

from idp.kernel.clock import now


class InitialAccessToken(models.Model):
    """An initial access token (RFC 7591 1.2), as a digest, for a number of registrations until a date."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    uses_left = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "oidc_initial_access_token"

    def __str__(self) -> str:
        return f"{self.uses_left} registrations until {self.expires_at:%Y-%m-%d}"
