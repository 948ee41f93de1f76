"""Identifiers of log and outbox rows: made here, ordered by time, the same wherever the row travels."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def ordered() -> uuid.UUID:
    """A UUID version 7 (RFC 9562 5.7).

    The 12 bits after the milliseconds hold their fraction (RFC 9562 6.2, method 3), so rows of one process sort in the
    order in which they were made, and inserts stay at the right-hand edge of the index. Within one tick of the clock, or
    when the clock is set back a little, the fraction counts on.
    """
    global _last
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    tick = milliseconds << 12 | rest * 4096 // 1_000_000
    with _lock:
        # A clock that is set back by more than a second counts: ids far in the future would be worse than two out of order.
        if _last - (1000 << 12) < tick <= _last:
            tick = _last + 1
        _last = tick
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=tick >> 12 << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0x2 << 62 | random)
