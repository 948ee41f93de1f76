"""What `manage.py explain REFERENCE` shows."""

from __future__ import annotations

from django.db import models

from idp.kernel.clock import now


class RefusedRequest(models.Model):
    """One refused protocol request: which entry of the catalogue, what arrived (redacted), when. Kept for 30 days."""

    reference = models.CharField(max_length=16, primary_key=True)
    code = models.CharField(max_length=64)
    endpoint = models.CharField(max_length=32)
    client_id = models.CharField(max_length=255, blank=True, default="")
    arrived = models.JSONField(default=dict)
    detail = models.TextField(blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        db_table = "oidc_refused_request"

    def __str__(self) -> str:
        return f"{self.reference} {self.code}"
