"""Signs of life."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """When a periodic task last ran: beat started it and a worker did it, so both are alive."""

    name = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField()

    class Meta:
        db_table = "operations_heartbeat"

    def __str__(self) -> str:
        return f"{self.name} {self.at}"
