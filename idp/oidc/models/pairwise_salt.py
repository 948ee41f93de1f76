"""The one secret behind all pairwise subjects."""

from __future__ import annotations

from django.db import models


class PairwiseSalt(models.Model):
    """A single row. Losing it would change every pairwise `sub`, so it is part of the backup like everything else."""

    sealed = models.TextField()

    class Meta:
        db_table = "oidc_pairwise_salt"

    def __str__(self) -> str:
        return "pairwise salt"
