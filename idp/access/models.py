"""Groups and who is in them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from idp.kernel.clock import now


class Group(models.Model):
    """A named set of people. `min_acr` is the weakest acr with which a member may sign in; empty = the group asks for nothing."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=200, blank=True, default="")
    min_acr = models.CharField(max_length=100, blank=True, default="")
    trusted_browsers = models.BooleanField(default=True)  # whether a trusted browser spares its members the second step
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person in one group."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="once_in_a_group")]

    def __str__(self) -> str:
        return f"membership {self.pk}"
