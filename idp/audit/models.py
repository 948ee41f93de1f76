"""The chain beside the event log: links, what opens their commitments, signed heads."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models

from idp.kernel.clock import now

NOTHING_YET = bytes(32)
FIRST_ID = UUID(int=0)


class Sealer(models.Model):
    """One row. Whoever holds its lock seals; every log row below `settled_to` has had its turn."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    settled_to = models.UUIDField(default=FIRST_ID)

    def __str__(self) -> str:
        return f"settled to {self.settled_to}"


class Stream(models.Model):
    """Where one chain stands. After a cut it begins behind `cut_seq`, with the hash of that link as its start."""

    name = models.CharField(max_length=16, primary_key=True)
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField(max_length=32, default=NOTHING_YET)
    cut_seq = models.BigIntegerField(default=0)
    cut_hash = models.BinaryField(max_length=32, default=NOTHING_YET)

    def __str__(self) -> str:
        return f"{self.name} {self.seq}"


class Link(models.Model):
    """One log row in its chain. `commitments` stand in for personal data in the hash: name to hexadecimal HMAC."""

    event = models.UUIDField(primary_key=True)
    stream = models.CharField(max_length=16)
    seq = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    commitments = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["stream", "seq"], name="audit_place")]

    def __str__(self) -> str:
        return f"{self.stream} {self.seq}"


class Opening(models.Model):
    """The salts that open a link's commitments; deleted with the personal data, and then nobody can guess what it was."""

    event = models.UUIDField(primary_key=True)
    salts = models.JSONField()

    def __str__(self) -> str:
        return str(self.event)


class Head(models.Model):
    """Where every chain stood at `at`, signed (compact JWS); heads are numbered, and each names the one before."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(default=now)
    jws = models.TextField()

    def __str__(self) -> str:
        return f"head {self.number}"
