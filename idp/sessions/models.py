"""Browser sessions of the provider."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models

from idp.kernel.clock import now

if TYPE_CHECKING:
    from idp.accounts.models import User


class BrowserSession(models.Model):
    """One browser's session: Django's session data and, once a person signed in, what OpenID Connect says about it.

    The cookie's value is stored only as its SHA-256: reading this table gives nobody a session.
    """

    key_digest = models.BinaryField(max_length=32, unique=True)
    data = models.TextField(blank=True, default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="browser_sessions")
    sid = models.CharField(max_length=64, blank=True, default="", db_index=True)
    auth_time = models.DateTimeField(null=True)
    acr = models.CharField(max_length=100, blank=True, default="")
    amr = models.JSONField(default=list)
    epoch = models.PositiveIntegerField(default=0)
    ip = models.CharField(max_length=45, blank=True, default="")
    user_agent = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(default=now)
    last_seen_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "op_sessions_browser_session"

    def __str__(self) -> str:
        return f"session {self.sid or self.pk}"

    @property
    def person(self) -> User:
        """The person of a signed-in session (`sessions.current` returns no other)."""
        assert self.user is not None
        return self.user

    @property
    def authenticated_at(self) -> datetime:
        """`auth_time` of a signed-in session."""
        assert self.auth_time is not None
        return self.auth_time
