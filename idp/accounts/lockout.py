"""Five wrong passwords in a row, then fifteen minutes of silence: exact under parallel guesses.

An attempt is *reserved* before the password is looked at, by one upsert that counts it and refuses the sixth (hostile cases PW-10,
PW-12); a right password clears the count. So of two hundred parallel guesses five are evaluated, on every database, without Redis.

There is one count per person whatever identifier was typed and wherever (sign-in, re-authentication, password change), the same for
identifiers that belong to nobody, and a separate one for each browser in which the person has signed in before (`browsers`): whoever
guesses elsewhere cannot lock the owner out there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils.crypto import salted_hmac

from idp.kernel import clock

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

LIMIT = 5
LOCK = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to look at one password, or how many seconds to wait instead."""

    key: bytes
    allowed: bool
    retry_after: int = 0
    number: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the lock closes if this password is wrong."""
        return self.number >= LIMIT


def person_key(person: UUID) -> bytes:
    """Counts everything typed about one person."""
    return _key("person", str(person))


def browser_key(person: UUID, browser: str) -> bytes:
    """Counts what one known browser of a person types."""
    return _key("browser", f"{person}:{browser}")


def unknown_key(identifier: str) -> bytes:
    """Counts what is typed for an identifier that belongs to nobody, so that it answers like one that does."""
    return _key("unknown", identifier)


def reserve(key: bytes) -> Reservation:
    """Count one attempt before its password is looked at. Call it outside of a transaction: a rollback would uncount it."""
    now = clock.now()
    stale, until = now - LOCK, now + LOCK
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_guesscounter (key, failures, last_at, locked_until) VALUES (%s, 1, %s, NULL)
            ON CONFLICT (key) DO UPDATE SET
                failures = CASE WHEN accounts_guesscounter.last_at <= %s THEN 1 ELSE accounts_guesscounter.failures + 1 END,
                last_at = excluded.last_at,
                locked_until = CASE WHEN accounts_guesscounter.last_at > %s AND accounts_guesscounter.failures + 1 >= %s
                                    THEN %s ELSE NULL END
            WHERE accounts_guesscounter.locked_until IS NULL OR accounts_guesscounter.locked_until <= excluded.last_at
            RETURNING failures
            """,
            [key, _moment(now), _moment(stale), _moment(stale), LIMIT, _moment(until)],
        )
        row = cursor.fetchone()
    if row is None:
        return Reservation(key, allowed=False, retry_after=_seconds_left(key, now))
    return Reservation(key, allowed=True, number=row[0])


def clear(key: bytes) -> None:
    """The password was right: the count starts again."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_guesscounter WHERE key = %s", [key])


def give_back(key: bytes) -> None:
    """The password was not looked at after all (the machine was busy): the attempt does not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_guesscounter SET failures = failures - 1, locked_until = NULL WHERE key = %s AND failures > 0", [key]
        )


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of counts that no longer matter; returns how many."""
    from .models import GuessCounter

    old = clock.now() - 2 * LOCK
    keys = list(GuessCounter.objects.filter(last_at__lt=old).values_list("pk", flat=True)[:limit])
    # The age is asked again: a count that came back to life between the two statements stays.
    return GuessCounter.objects.filter(pk__in=keys, last_at__lt=old).delete()[0] if keys else 0


def _seconds_left(key: bytes, now: datetime) -> int:
    from .models import GuessCounter

    until = GuessCounter.objects.filter(pk=key).values_list("locked_until", flat=True).first()
    return max(1, math.ceil((until - now).total_seconds())) if until else 1


def _key(kind: str, value: str) -> bytes:
    return salted_hmac(f"idp.accounts.lockout.{kind}", value.encode("utf-8", "surrogatepass").hex(), algorithm="sha256").digest()


def _moment(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)
