"""Identifiers of log and outbox rows: made here, ordered by time, the same wherever the row travels."""

from __future__ import annotations

import os
import time
import uuid


def ordered() -> uuid.UUID:
    """A UUID version 7 (RFC 9562 5.7).

    The 12 bits after the milliseconds hold their fraction (RFC 9562 6.2, method 3), so rows of one process sort in the
    order in which they were made, and inserts stay at the right-hand edge of the index.
    """
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)
