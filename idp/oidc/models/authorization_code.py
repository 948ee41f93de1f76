"""Authorization codes."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from idp.kernel.clock import now

from .client import Client


class AuthorizationCode(models.Model):
    """What a code stands for. The code itself is never stored, only its SHA-256 (RFC 6749 10.5).

    The row stays for a day after it expired, so that a replay finds what to revoke (RFC 6749 4.1.2).
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    redirect_uri = models.TextField()
    redirect_uri_sent = models.BooleanField(default=True)
    scope = models.TextField()
    resources = models.JSONField(default=list)
    nonce = models.TextField(blank=True, default="")
    claims = models.JSONField(default=dict)
    code_challenge = models.CharField(max_length=128, blank=True, default="")
    auth_time = models.DateTimeField()
    acr = models.CharField(max_length=100)
    amr = models.JSONField(default=list)
    sid = models.CharField(max_length=64)
    epoch = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)
    family_id = models.UUIDField(null=True, blank=True)

    class Meta:
        db_table = "oidc_authorization_code"
        indexes = (models.Index(fields=["sid"], name="oidc_code_sid"),)  # not db_index: that makes a second one, for LIKE

    def __str__(self) -> str:
        return f"code for {self.client_id} made {self.created_at:%Y-%m-%d %H:%M:%S}"
