"""Everything that one authorization gave: its access tokens name the family, its refresh token rotates inside the row."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from idp.kernel.clock import now

from .client import Client


class TokenFamily(models.Model):
    """One row per redeemed authorization, whether or not it holds a refresh token.

    A refresh token is a lineage (the same for the family's whole life) and a secret (new with each rotation). Only digests are
    stored: of the lineage, so that even a token of long ago is recognised as a replay, and of the present and previous token.
    Rotation is one compare-and-set on `current_digest`.
    `successor_sealed` is the present refresh token encrypted under the *previous* one, so that only its holder can be
    given the same successor again within the overlap; a copy of this table gives nobody a token.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False)  # the index below begins with it
    scope = models.TextField()
    resources = models.JSONField(default=list)
    nonce = models.TextField(blank=True, default="")
    claims = models.JSONField(default=dict)
    auth_time = models.DateTimeField()
    acr = models.CharField(max_length=100)
    amr = models.JSONField(default=list)
    sid = models.CharField(max_length=64)
    epoch = models.PositiveIntegerField()
    offline = models.BooleanField(default=False)
    lineage_digest = models.BinaryField(max_length=32, null=True, unique=True)
    current_digest = models.BinaryField(max_length=32, null=True)
    previous_digest = models.BinaryField(max_length=32, null=True)
    successor_sealed = models.BinaryField(null=True)
    generation = models.PositiveIntegerField(default=0)
    rotated_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    last_used_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        db_table = "oidc_token_family"
        indexes = (
            models.Index(fields=["user", "client"], name="oidc_family_user_client"),
            models.Index(fields=["sid"], name="oidc_family_sid"),  # not db_index: that makes a second one, for LIKE
        )

    def __str__(self) -> str:
        return f"family {self.id}"
