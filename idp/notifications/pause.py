"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 15 * 60.0


def pause(attempts: int) -> timedelta:
    """Exponential with full jitter, at most 15 minutes."""
    ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts, 16))
    return timedelta(seconds=random.uniform(1.0, ceiling))  # noqa: S311 (spreads load, guards nothing)
