"""The event log and the outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from idp.events.catalogue import Stream
from idp.events.identifiers import ordered
from idp.kernel.clock import now


class EventRecord(models.Model):
    """One thing that happened; written by `emit()` in the transaction of the change, never changed afterwards.

    It has no foreign keys: the record outlives the person and the client that it names. The id is made by us and ordered by
    time, so that the row lives in a monthly partition (`partitions`) and travels to receivers under the same id.
    """

    id = models.UUIDField(primary_key=True, default=ordered, editable=False)
    stream = models.CharField(max_length=16, default=Stream.SYSTEM.value)
    name = models.CharField(max_length=64)
    person = models.UUIDField(null=True, help_text="Whom it concerns (the OIDC `sub`).")
    by = models.UUIDField(null=True, help_text="Who did it, when that is another person: staff.")
    client_id = models.CharField(max_length=255, default="")
    at = models.DateTimeField(default=now)
    ip = models.CharField(max_length=45, default="")
    user_agent = models.CharField(max_length=300, default="")
    request_id = models.CharField(max_length=64, default="")
    data = models.JSONField(default=dict)
    sequence = models.BigIntegerField(
        null=True, help_text="The how-manieth event of this person, traffic not counted: 1, 2, 3 without a gap."
    )

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["person", "id"], name="events_person", condition=Q(person__isnull=False)),
        ]
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class PersonSequence(models.Model):
    """How many events a person has had. Its row lock orders them: the second of two transactions waits for the first (EV-04)."""

    person = models.UUIDField(primary_key=True, editable=False)
    last = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.person}: {self.last}"


class Delivery(models.Model):
    """One message on its way to one receiver; the outbox row, in the transaction of the change that caused it.

    Either a message of its own (mail, logout token): a worker claims the row by moving `due_at` to the end of its lease, so a
    row whose worker died comes due again by itself. Or an event (`event`) for a receiver of events: then the row belongs to a
    `Lane`, which is what workers claim, and leaves after the earlier ones of that lane.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        DEAD = "dead"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=ordered, editable=False)
    receiver = models.CharField(max_length=32)
    target = models.CharField(max_length=36, default="", help_text="Which one, where a receiver stands for several (a webhook's id).")
    event = models.UUIDField(null=True, help_text="The event that this row delivers.")
    name = models.CharField(max_length=64, default="", help_text="The name of that event.")
    person = models.UUIDField(null=True, help_text="Whom the event concerns.")
    lane = models.UUIDField(null=True, help_text="What must stay in order: the person; the event itself if it has no number.")
    sequence = models.BigIntegerField(null=True)
    payload = models.TextField(help_text="Sealed; emptied as soon as it is no longer needed.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=now)
    lease_until = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=32, default="")
    expires_at = models.DateTimeField(null=True)
    dedupe_key = models.CharField(max_length=128, null=True, unique=True)
    last_error = models.CharField(max_length=128, default="")
    log = models.JSONField(default=list, help_text="The last attempts: request, response, timing; secrets and personal data blacked out.")
    created_at = models.DateTimeField(default=now)
    waiting_since = models.DateTimeField(default=now, help_text="When it was put in the line, for the first time or again.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="events_delivery_due", condition=Q(state="waiting", lane__isnull=True)),
            models.Index(fields=["done_at"], name="events_delivery_done", condition=~Q(state="waiting")),
            models.Index(
                fields=["lane", "receiver", "target", "sequence", "id"],
                name="events_delivery_lane",
                condition=Q(state__in=["waiting", "dead"], lane__isnull=False),
            ),
            models.Index(fields=["person", "id"], name="events_delivery_person", condition=Q(person__isnull=False)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["event", "receiver", "target"], name="events_delivery_once", condition=Q(event__isnull=False)),
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.receiver} {self.id} ({self.state})"


class Lane(models.Model):
    """Work for one receiver about one person (or one event without a person): exists while something waits or is stuck.

    Workers claim lanes, not messages, so that the events of a person leave one after the other and nobody waits for anybody
    else. `due_at` is when to look again, or the end of the lease of the worker that has it; empty = the first message is dead
    and blocks. `version` changes with every message that is added: a worker removes the lane only if none came meanwhile.
    """

    receiver = models.CharField(max_length=32)
    target = models.CharField(max_length=36, default="")
    key = models.UUIDField()
    priority = models.SmallIntegerField()
    due_at = models.DateTimeField(null=True)
    owner = models.CharField(max_length=32, default="")
    version = models.BigIntegerField(default=0)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["priority", "due_at"], name="events_lane_due", condition=Q(due_at__isnull=False)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["receiver", "target", "key"], name="events_lane_once"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.key}"


class Outage(models.Model):
    """A receiver that does not answer at the moment: nobody calls it before `until`; the first success removes the row."""

    receiver = models.CharField(max_length=32)
    target = models.CharField(max_length=36, default="")
    since = models.DateTimeField()
    until = models.DateTimeField()
    failures = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["receiver", "target"], name="events_outage_once"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} since {self.since}"
