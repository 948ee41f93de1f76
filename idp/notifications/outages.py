"""Receivers that do not answer: left alone for a moment instead of one time-out per message, and found again soon.

After a few failures without a success in between nobody calls for some seconds, at most half a minute. The first success
ends that, and whatever waited because of the outage comes due at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from idp.events.models import Delivery, Lane, Outage
from idp.kernel import clock, db

TOLERATED = 4
LONGEST = 30.0
RECHECK_SECONDS = 1.0


class Known:
    """The outages as one run sees them, at most a second old."""

    def __init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Read them again."""
        self._rows = {(row.receiver, row.target): row for row in Outage.objects.all()}
        self._read_at = time.monotonic()

    def paused(self) -> Sequence[tuple[str, str]]:
        """Receivers and targets that nobody calls now."""
        if time.monotonic() - self._read_at > RECHECK_SECONDS:
            self.look()
        now = clock.now()
        return [key for key, row in self._rows.items() if row.until > now]

    def has(self, receiver: str, target: str) -> bool:
        """Whether it has failed since its last success."""
        return (receiver, target) in self._rows

    def since(self, receiver: str, target: str) -> datetime | None:
        """Since when it fails."""
        row = self._rows.get((receiver, target))
        return row.since if row else None


def failed(receiver: str, target: str, *, pausing: bool | None = None) -> None:
    """One more failure without a success. `pausing` says whether nobody calls for a while; unless told, the number of failures does."""
    now = clock.now()
    row = Outage.objects.filter(receiver=receiver, target=target).first()
    failures = (row.failures if row else 0) + 1
    until = now
    if pausing if pausing is not None else failures > TOLERATED:
        until += timedelta(seconds=min(LONGEST, 2.0 ** min(max(failures - TOLERATED, 1), 10)) * random.uniform(0.5, 1.0))  # noqa: S311
    db.change(
        "INSERT INTO events_outage (receiver, target, since, until, failures) VALUES (%s, %s, %s, %s, 1) "
        "ON CONFLICT (receiver, target) DO UPDATE SET failures = events_outage.failures + 1, until = excluded.until",
        [receiver, target, now, until],
    )


def ended(receiver: str, target: str) -> None:
    """It works again: what waited for it does not wait for its own next attempt."""
    gone = Outage.objects.filter(receiver=receiver, target=target)
    long = gone.filter(failures__gt=TOLERATED).exists()
    gone.delete()
    if long:
        now = clock.now()
        Lane.objects.filter(receiver=receiver, target=target, owner="", due_at__gt=now).update(due_at=now)
        waiting = Delivery.objects.filter(receiver=receiver, lane=None, state=Delivery.State.WAITING, lease_owner="", due_at__gt=now)
        waiting.update(due_at=now)
