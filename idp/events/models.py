"""The event log and the outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from idp.events.identifiers import ordered
from idp.kernel.clock import now


class EventRecord(models.Model):
    """One thing that happened; written by `emit()` in the transaction of the change, never changed afterwards.

    It has no foreign keys: the record outlives the person and the client that it names. The id is made by us and ordered by
    time, so that the row may later live in a monthly partition and travel to receivers under the same id.
    """

    id = models.UUIDField(primary_key=True, default=ordered, editable=False)
    name = models.CharField(max_length=64)
    person = models.UUIDField(null=True, help_text="Whom it concerns (the OIDC `sub`).")
    by = models.UUIDField(null=True, help_text="Who did it, when that is another person: staff.")
    client_id = models.CharField(max_length=255, default="")
    at = models.DateTimeField(default=now)
    ip = models.CharField(max_length=45, default="")
    user_agent = models.CharField(max_length=300, default="")
    request_id = models.CharField(max_length=64, default="")
    data = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["person", "id"], name="events_person", condition=Q(person__isnull=False)),
        ]
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class Delivery(models.Model):
    """One message on its way to one receiver; the outbox row, in the transaction of the change that caused it.

    A worker claims it by moving `due_at` to the end of its lease, so a row whose worker died comes due again by itself.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        DEAD = "dead"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=ordered, editable=False)
    receiver = models.CharField(max_length=32)
    payload = models.TextField(help_text="Sealed; emptied as soon as it is no longer needed.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=now)
    lease_until = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=32, default="")
    expires_at = models.DateTimeField(null=True)
    dedupe_key = models.CharField(max_length=128, null=True, unique=True)
    last_error = models.CharField(max_length=128, default="")
    created_at = models.DateTimeField(default=now)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="events_delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["done_at"], name="events_delivery_done", condition=~Q(state="waiting")),
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.receiver} {self.id} ({self.state})"
