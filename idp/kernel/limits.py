"""Rate limits, exact under parallel requests: one upsert in the database, which is also why losing Redis weakens nothing.

A limit counts in fixed windows that begin with the first hit. Call `hit` outside of a transaction: inside one, a rollback
takes the count back, and on PostgreSQL the row stays locked until the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.crypto import salted_hmac

from . import clock

CLEAN_EVERY = 50
CLEAN_AT_MOST = 400

_new_windows = itertools.count(1)

_OVER = "DELETE FROM kernel_limit WHERE ends_at <= %s AND key IN (SELECT key FROM kernel_limit WHERE ends_at <= %s LIMIT %s"
# A window that another request renews in this moment is either locked (skipped) or no longer over (asked again outside).
_CLEAN = {"sqlite": _OVER + ")", "postgresql": _OVER + " FOR UPDATE SKIP LOCKED)"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`allowed`, and for the one who is not: after how many seconds the window ends."""

    allowed: bool
    retry_after: int


def hit(name: str, key: str, *, limit: int, seconds: int) -> Verdict:
    """Count one attempt of `key` (an address, an account …) against the limit `name`: `limit` per `seconds`.

    Exactly `limit` of any number of parallel callers are allowed in one window. NIST SP 800-63B-4 3.2.2, ASVS 2.4.1.
    """
    now = _milliseconds()
    with connection.cursor() as cursor:
        # The count stops one above the limit: a flood for a year does not overflow the column.
        cursor.execute(
            """
            INSERT INTO kernel_limit (key, count, ends_at) VALUES (%s, 1, %s)
            ON CONFLICT (key) DO UPDATE SET
                count = CASE WHEN kernel_limit.ends_at <= %s THEN 1
                             WHEN kernel_limit.count > %s THEN kernel_limit.count
                             ELSE kernel_limit.count + 1 END,
                ends_at = CASE WHEN kernel_limit.ends_at <= %s THEN excluded.ends_at ELSE kernel_limit.ends_at END
            RETURNING count, ends_at
            """,
            [_digest(name, key), now + seconds * 1000, now, limit, now],
        )
        count, ends_at = cursor.fetchone()
    if count == 1 and next(_new_windows) % CLEAN_EVERY == 0:
        clean()
    return _verdict(count <= limit, ends_at, now)


def peek(name: str, key: str, *, limit: int) -> Verdict:
    """Would the next `hit` be allowed? Counts nothing."""
    now = _milliseconds()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count, ends_at FROM kernel_limit WHERE key = %s AND ends_at > %s", [_digest(name, key), now])
        row = cursor.fetchone()
    return _verdict(row is None or row[0] < limit, row[1] if row else now, now)


def peek_all(rules: Sequence[tuple[str, str, int]]) -> list[Verdict]:
    """`peek` for several (name, key, limit) at once, in one statement and in their order."""
    now = _milliseconds()
    digests = [_digest(name, key) for name, key, _limit in rules]
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(digests))
        cursor.execute(f"SELECT key, count, ends_at FROM kernel_limit WHERE key IN ({places}) AND ends_at > %s", [*digests, now])  # noqa: S608
        found = {bytes(key): (count, ends_at) for key, count, ends_at in cursor.fetchall()}
    verdicts = []
    for digest, (_name, _key, limit) in zip(digests, rules, strict=True):
        count, ends_at = found.get(digest, (0, now))
        verdicts.append(_verdict(count < limit, ends_at, now))
    return verdicts


def clear(name: str, key: str) -> None:
    """Forget what was counted, for example after a success."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM kernel_limit WHERE key = %s", [_digest(name, key)])


def clean() -> int:
    """Delete some windows that are over, at most `CLEAN_AT_MOST`; returns how many. `hit` calls it now and then by itself."""
    now = _milliseconds()
    with connection.cursor() as cursor:
        cursor.execute(_CLEAN[connection.vendor], [now, now, CLEAN_AT_MOST])
        return int(cursor.rowcount)


def _milliseconds() -> int:
    return int(clock.now().timestamp() * 1000)


def _digest(name: str, key: str) -> bytes:
    value = f"{name}\n{key}".encode("utf-8", "surrogatepass").hex()
    return salted_hmac("kairos.limits", value, algorithm="sha256").digest()


def _verdict(allowed: bool, ends_at: int, now: int) -> Verdict:
    return Verdict(allowed, 0 if allowed else max(1, -(-(ends_at - now) // 1000)))
