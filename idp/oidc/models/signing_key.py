"""Signing keys."""

from __future__ import annotations

from django.db import models

from idp.kernel.clock import now


class SigningKey(models.Model):
    """One key pair: published from `created_at`, signing from `activates_at`, published until `retires_at`.

    The private half is sealed (`kernel.sealing`, purpose `signing-key`).
    """

    kid = models.CharField(max_length=64, primary_key=True)
    algorithm = models.CharField(max_length=8)
    public_jwk = models.JSONField()
    private_sealed = models.TextField()
    created_at = models.DateTimeField(default=now)
    activates_at = models.DateTimeField()
    retires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "oidc_signing_key"

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid}"
