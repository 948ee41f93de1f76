"""Who is staff: may use the staff console."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from idp.events import catalogue, emit
from idp.events.changes import diff

from .models import User


def grant(user: User, *, by: UUID | None = None) -> bool:
    """Let somebody into the console; False = they were in already."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, is_staff=False).update(is_staff=True)
        if changed:
            emit(catalogue.StaffGranted(), person=user.pk, by=by, changes=diff({"staff": False}, {"staff": True}))
    return bool(changed)


def revoke(user: User, *, by: UUID | None = None) -> bool:
    """Shut somebody out, from their next request on; False = they were not in."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, is_staff=True).update(is_staff=False)
        if changed:
            emit(catalogue.StaffRevoked(), person=user.pk, by=by, changes=diff({"staff": True}, {"staff": False}))
    return bool(changed)


def everybody() -> QuerySet[User]:
    """All staff, by address."""
    return User.objects.filter(is_staff=True).order_by("email", "pk")
