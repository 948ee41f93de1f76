"""Changing what is known about a person: judged whole, stored whole or not at all, told as one event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from idp.events import emit
from idp.events.catalogue import ProfileChanged
from idp.events.changes import diff
from idp.kernel import clock

from . import claims
from .attributes import Writer, attributes
from .models import User

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


def change(user: User, changes: Mapping[str, Any], *, role: Writer, by: UUID | None = None) -> tuple[str, ...]:
    """Merge `changes` into the profile (None or empty removes, like RFC 7396) and return the names of what is different now.

    `role` is as what the change is made, `by` who made it when that is somebody else. Raises claims.ClaimError: then nothing is stored.
    Parallel changes of different attributes both stay: the row is locked while it is merged.
    """
    wanted = claims.validated(changes, by=role)
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        before = claims.stored(locked)
        kept = {name: value for name, value in before.items() if name not in changes}
        # Limits are of the whole person; what stands there already was judged when it came.
        after = {name: {**kept, **wanted}[name] for name in attributes() if name in kept or name in wanted}
        claims.within_limits(after)
        changed = tuple(name for name in attributes() if before.get(name) != after.get(name))
        if changed:
            fresh = claims.sealed(user.pk, {name: after[name] for name in changed if name in after})
            locked.claims = {name: value for name, value in {**locked.claims, **fresh}.items() if name in after or name not in attributes()}
            locked.updated_at = clock.now()
            locked.save(update_fields=["claims", "updated_at"])
            if told := tuple(name for name in changed if attributes()[name].event):
                by_staff = None if role == "person" else diff(before, after, personal=None)
                emit(ProfileChanged(attributes=told), person=user.pk, by=by, changes=by_staff)
        user.claims, user.updated_at = locked.claims, locked.updated_at
    return changed
