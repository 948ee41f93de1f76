"""How many things let a person in: the last one is never taken away (hostile case WK-17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .models import User


def count(user: User) -> int:
    """Password, and whatever the floors above bring (`settings.WAYS_IN`: functions of a person that answer a number)."""
    return int(user.has_usable_password()) + sum(import_string(path)(user) for path in settings.WAYS_IN)
