"""What lets a person in: the last way is never taken away (hostile case WK-17), and all of it ends when it was not the owner's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from datetime import datetime

    from .models import User


def count(user: User) -> int:
    """Password, and whatever the floors above bring (`settings.WAYS_IN`: functions of a person that answer a number)."""
    return int(user.has_usable_password()) + sum(import_string(path)(user) for path in settings.WAYS_IN)


def forget_all(user: User, *, since: datetime | None = None) -> None:
    """End what the floors above bring beside the password, or what is newer than `since` (`settings.CREDENTIALS`)."""
    for path in settings.CREDENTIALS:
        import_string(path)(user, since=since)
