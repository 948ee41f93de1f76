"""How a cache in one process learns that another process changed the data: a number per kind of data.

    number = generations.current("clients")      # read the number BEFORE the data
    if cache.number != number:
        cache = load(), number

Numbers are random, not counted: two that differ mean "changed", and a number that was rolled back never comes again.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import ClassVar

from django.db import connection, transaction

RECHECK_SECONDS = 0.5

NEVER = float("-inf")


class _Copy:
    """The numbers as this process last read them."""

    numbers: ClassVar[dict[str, int]] = {}
    read_at = NEVER
    forgotten = 0
    lock = threading.Lock()


_local = threading.local()


def bump(name: str) -> None:
    """Say that the data called `name` changed; in the same transaction as the change."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kernel_generation (name, number) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET number = excluded.number",
            [name, secrets.randbits(62)],
        )
    if connection.in_atomic_block:
        _local.changed = True
    transaction.on_commit(forget)


def current(name: str, *, stale_ok: bool = False) -> int:
    """The number of the data called `name` (0 = never changed), at most `RECHECK_SECONDS` old; one SQL for all names.

    With `stale_ok` the last known number is returned while the database cannot be reached (for what must be
    served then too: key set and discovery); otherwise the database's exception is raised.
    """
    if _uncommitted():
        # Nobody else sees this thread's change yet: the shared numbers must not learn it before the commit.
        return _read().get(name, 0)
    due = time.monotonic() - _Copy.read_at >= RECHECK_SECONDS
    # One thread asks the database; the others meanwhile go on with numbers that are a moment older.
    if due and _Copy.lock.acquire(blocking=_Copy.read_at == NEVER):
        try:
            _refresh()
        except Exception:
            if not stale_ok:
                raise
            _Copy.read_at = time.monotonic()
        finally:
            _Copy.lock.release()
    return _Copy.numbers.get(name, 0)


def forget() -> None:
    """Let the next `current` ask the database. Runs by itself in the process whose change was committed."""
    _local.changed = False
    _Copy.forgotten += 1
    _Copy.read_at = NEVER


def _refresh() -> None:
    started, forgotten = time.monotonic(), _Copy.forgotten
    if started - _Copy.read_at < RECHECK_SECONDS:  # somebody else did while this thread waited
        return
    _Copy.numbers = _read()
    if forgotten == _Copy.forgotten:  # else a commit happened meanwhile, which this read may have missed
        _Copy.read_at = started


def _read() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, number FROM kernel_generation")
        return dict(cursor.fetchall())


def _uncommitted() -> bool:
    if not getattr(_local, "changed", False):
        return False
    if not connection.in_atomic_block:  # that transaction was rolled back
        _local.changed = False
        return False
    return True
