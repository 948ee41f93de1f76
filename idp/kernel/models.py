"""Tables of the foundation: counters of limits, numbers of generations."""

from __future__ import annotations

from django.db import models


class Limit(models.Model):
    """One counting window of one limit. `key` is an HMAC, so that the table holds no address and no e-mail."""

    key = models.BinaryField(primary_key=True, max_length=32)
    count = models.IntegerField()
    ends_at = models.BigIntegerField(db_index=True, help_text="End of the window, milliseconds since 1970.")

    class Meta:
        db_table = "kernel_limit"

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at}"


class Generation(models.Model):
    """Changes whenever the named data change: other processes compare it to know that their copy is old."""

    name = models.CharField(primary_key=True, max_length=64)
    number = models.BigIntegerField()

    class Meta:
        db_table = "kernel_generation"

    def __str__(self) -> str:
        return f"{self.name} {self.number}"
