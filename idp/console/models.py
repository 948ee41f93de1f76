"""The file with a person's data, while it waits to be fetched."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from idp.kernel.clock import now


class DataExport(models.Model):
    """Asked for, prepared in the background, kept for a day. `content` is sealed for this row; empty until it is ready."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    content = models.TextField(blank=True, default="")
    asked_at = models.DateTimeField(default=now)
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"export {self.id}"
