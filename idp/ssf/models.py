"""Streams of receivers, subjects that they do not want, tokens that wait to be polled."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from idp.kernel.clock import now


def new_stream_id() -> str:
    """Unguessable, URL-safe."""
    return uuid.uuid4().hex


class Stream(models.Model):
    """One event stream (SSF 1.0 8.1.1) of one client."""

    class Method(models.TextChoices):
        PUSH = "urn:ietf:rfc:8935"
        POLL = "urn:ietf:rfc:8936"

    class Status(models.TextChoices):
        ENABLED = "enabled"
        PAUSED = "paused"
        DISABLED = "disabled"

    id = models.CharField(max_length=32, primary_key=True, default=new_stream_id)
    client_id = models.CharField(max_length=255, db_index=True)
    method = models.CharField(max_length=20, choices=Method.choices, default=Method.POLL)
    endpoint_url = models.CharField(max_length=2000, default="")
    authorization_sealed = models.TextField(default="", help_text="What the receiver wants in the Authorization header of a push.")
    events_requested = models.JSONField(default=list)
    events_delivered = models.JSONField(default=list)
    description = models.CharField(max_length=300, default="")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ENABLED)
    reason = models.CharField(max_length=300, default="")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.client_id} {self.id}"


class RemovedSubject(models.Model):
    """A person of whom this stream does not tell (SSF 1.0 8.1.3.3)."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="removed")
    person = models.UUIDField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["stream", "person"], name="ssf_removed_once")]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.person}"


class WaitingToken(models.Model):
    """A security event token that its receiver has not acknowledged yet (RFC 8936 2.4)."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="waiting")
    jti = models.CharField(max_length=64)
    token = models.TextField()
    created_at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["stream", "jti"], name="ssf_waiting_once")]

    def __str__(self) -> str:
        return self.jti
