"""Which clients a browser session signed in to: those that want to hear of its end."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from idp.kernel.clock import now

from .client import Client


class ClientSession(models.Model):
    """A client with a logout address that got an answer in the session `sid`. Written once per pair."""

    sid = models.CharField(max_length=64)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    created_at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        db_table = "oidc_client_session"
        constraints = (models.UniqueConstraint(fields=["sid", "client"], name="one_client_session_per_sid_and_client"),)

    def __str__(self) -> str:
        return f"{self.client_id} in {self.sid}"
