"""Webhooks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from idp.events.identifiers import ordered
from idp.kernel.clock import now


class Webhook(models.Model):
    """An address of somebody's own that is told of events; `events` are patterns with spaces between, keys are sealed."""

    id = models.UUIDField(primary_key=True, default=ordered, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=2048)
    events = models.CharField(max_length=2000)
    contact = models.EmailField(blank=True, help_text="Who is told by mail when it is switched off because it fails.")
    keys = models.TextField(help_text="Sealed; the newest first, at most two.")
    enabled = models.BooleanField(default=True)
    disabled_because = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.name
