"""Logos of clients, fetched once and served by us."""

from __future__ import annotations

from django.db import models

from .client import Client


class ClientLogo(models.Model):
    """A picture that was found at a client's `logo_uri`. People's browsers never contact that address."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="logo")
    digest = models.CharField(max_length=64, db_index=True)
    media_type = models.CharField(max_length=20)
    content = models.BinaryField()

    class Meta:
        db_table = "oidc_client_logo"

    def __str__(self) -> str:
        return f"logo of {self.client_id}"
