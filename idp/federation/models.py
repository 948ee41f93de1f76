"""Upstream providers, and what was sent to one and must come back once. Links to people are rows of allauth (`allauth.py`)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from idp.kernel.clock import now


class UpstreamRow(models.Model):
    """One upstream as an operator configured it; read through `upstreams`. `options` are the members of `upstreams.Options`."""

    class Kind(models.TextChoices):
        OIDC = "oidc", _("OpenID Connect")
        GOOGLE = "google", _("Google")

    name = models.CharField(max_length=40, unique=True)
    label = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.OIDC)
    issuer = models.CharField(max_length=200)
    client_id = models.CharField(max_length=255)
    secret_sealed = models.TextField(blank=True)
    enabled = models.BooleanField(default=True)
    options = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        db_table = "federation_upstream"

    def __str__(self) -> str:
        return self.name


class Challenge(models.Model):
    """Something random that left for an upstream and is good once: `state` of a request, or the nonce of an ID token to be posted.

    Only the SHA-256 of it is kept. It belongs to one upstream and to one browser (or, for a posted token, to one client).
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in"
        LINK = "link"
        POSTED = "posted"

    digest = models.BinaryField(primary_key=True, max_length=32)
    purpose = models.CharField(max_length=8, choices=Purpose)
    upstream = models.CharField(max_length=40)
    browser = models.BinaryField(max_length=32, null=True)
    client_id = models.CharField(max_length=255, null=True)
    nonce = models.CharField(max_length=64)
    verifier_sealed = models.TextField(blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    continue_to = models.TextField(blank=True)
    afresh = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} at {self.upstream}"
