"""Client assertions that were accepted."""

from __future__ import annotations

from django.db import models


class UsedAssertion(models.Model):
    """The `jti` of an accepted client assertion, as a digest, until it would be refused for its age anyway (RFC 7523 3)."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "oidc_used_assertion"

    def __str__(self) -> str:
        return f"used until {self.expires_at:%Y-%m-%d %H:%M}"
