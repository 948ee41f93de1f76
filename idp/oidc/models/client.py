"""Registered clients."""

from __future__ import annotations

from typing import Any

from django.db import models
from oauth2_provider.models import AbstractApplication

from idp.kernel.clock import now


class Client(AbstractApplication):
    """A registered app or service: the engine's Application, with the metadata of RFC 7591 beside it.

    `metadata` holds client metadata under their RFC 7591 / OpenID Registration names; what the engine also keeps in
    columns (redirect URIs, name) is written to both by `idp.oidc.clients.registry`, the only writer.
    """

    class Profile(models.TextChoices):
        OIDC = "oidc", "OpenID Connect (classic)"
        OAUTH21 = "oauth21", "OAuth 2.1"
        FAPI2 = "fapi2", "FAPI 2.0"

    client_secret = models.CharField(max_length=1, blank=True, default="", editable=False)  # secrets live in ClientSecret
    algorithm = models.CharField(max_length=5, blank=True, default="RS256", editable=False)
    profile = models.CharField(max_length=10, choices=Profile.choices, default=Profile.OAUTH21)
    token_endpoint_auth_method = models.CharField(max_length=40, default="client_secret_basic")
    metadata = models.JSONField(default=dict, blank=True)
    first_party = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    registration_token_digest = models.BinaryField(max_length=32, null=True, editable=False)  # RFC 7592 1.1

    class Meta(AbstractApplication.Meta):
        db_table = "oidc_client"

    def is_usable(self, request: Any) -> bool:
        return self.enabled

    def allows_grant_type(self, *grant_types: str) -> bool:
        """The engine's question; the answer is the registered list (RFC 7591 2 `grant_types`)."""
        registered = {name.replace("_", "-") for name in self.metadata.get("grant_types", ())}
        return bool(registered.intersection(grant_types))


class ClientSecret(models.Model):
    """A salted hash of one generated 256-bit secret. Two may overlap while a client is being rotated."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="secrets")
    salt = models.BinaryField(max_length=16)
    digest = models.BinaryField(max_length=32)
    # Only for client_secret_jwt: an HMAC needs the secret itself (OIDC Core 9).
    sealed = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "oidc_client_secret"

    def __str__(self) -> str:
        return f"secret of {self.client_id} made {self.created_at:%Y-%m-%d}"
