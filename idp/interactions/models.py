"""The paused request."""

from __future__ import annotations

from django.db import models

from idp.kernel.clock import now


class InteractionRow(models.Model):
    """One authorization request that waits for a person; bound to the browser that started it.

    `parameters` are the request as received and are what counts: nothing that a page sends back can change them.
    """

    id = models.CharField(primary_key=True, max_length=43)
    browser = models.BinaryField(max_length=32)
    parameters = models.JSONField()
    card = models.JSONField(default=dict)
    ask = models.CharField(max_length=20)
    reauthenticate = models.BooleanField(default=False)
    outcomes = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "interactions_interaction"

    def __str__(self) -> str:
        return self.id
