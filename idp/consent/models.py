"""What people have agreed to."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from idp.kernel.clock import now


class Consent(models.Model):
    """One person's standing agreement with one client. `client_id` is the public identifier, so no floor above is needed."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="consents")
    client_id = models.CharField(max_length=255)
    client_name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    claims = models.JSONField(default=list)
    resources = models.JSONField(default=list)
    given_at = models.DateTimeField(default=now)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "consent_consent"
        constraints = (models.UniqueConstraint(fields=["user", "client_id"], name="one_consent_per_person_and_client"),)

    def __str__(self) -> str:
        return f"{self.user_id} to {self.client_id}"
