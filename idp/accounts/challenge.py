"""Work before a guess: after many wrong passwords from one network, or everywhere at once, the browser computes for a second or two first.

Nothing of a third party: the page holds a signed token, its script looks for a number whose SHA-256 with the token begins with so many zero
bits. Where no script runs, waiting is accepted instead, once per network in that time. A token works once. (Hostile case PW-08, ASVS 6.3.1.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.core import signing

from idp.events import emit
from idp.events.catalogue import SignInAlarm
from idp.kernel import clock, context, limits
from idp.kernel.ids import secret_token

SALT = "idp.accounts.challenge"
BITS = 15  # some thirty thousand hashes: a second on a phone
LIFE = 900  # seconds that a page may stay open
WAIT = 20  # seconds, where no script runs
PER_NETWORK, NETWORK_SECONDS = 10, 600  # wrong passwords, then their network works
PER_MINUTE = 100  # wrong passwords in all; then everybody does, for
ALARM_SECONDS = 600
LONGEST = 300
NETWORK, EVERYBODY, ALARM = "accounts.challenge.network", "accounts.challenge.all", "accounts.challenge.alarm"


@dataclass(frozen=True, slots=True)
class Task:
    """What the page gives to the browser."""

    token: str
    bits: int
    wait: int


def rules() -> tuple[tuple[str, str, int], ...]:
    """The counters that say whether this request has to work, as `limits.peek_all` takes them."""
    return (NETWORK, context.network(), PER_NETWORK), (ALARM, "", 1)


def needed() -> bool:
    """Whether a password from here is looked at only after some work."""
    return not all(verdict.allowed for verdict in limits.peek_all(rules()))


def failed() -> None:
    """Count a wrong password; raises the alarm when there are too many everywhere."""
    limits.hit(NETWORK, context.network(), limit=PER_NETWORK, seconds=NETWORK_SECONDS)
    if limits.hit(EVERYBODY, "", limit=PER_MINUTE, seconds=60).allowed:
        return
    if limits.hit(ALARM, "", limit=1, seconds=ALARM_SECONDS).allowed:
        emit(SignInAlarm(failures=PER_MINUTE))


def new() -> Task:
    """A fresh task."""
    moment = int(clock.now().timestamp())
    return Task(signing.dumps([secret_token(9), moment], salt=SALT), BITS, WAIT)


def accept(token: str, solution: str) -> bool:
    """Whether the work is done, or was waited for instead. Spends the token."""
    if not 0 < len(token) <= LONGEST or len(solution) > 20:
        return False
    try:
        name, moment = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    age = int(clock.now().timestamp()) - moment
    if not 0 <= age <= LIFE:
        return False
    if solution:
        if not _is_solved(token, solution):
            return False
    elif age < WAIT or not limits.hit("accounts.challenge.waited", context.network(), limit=1, seconds=WAIT).allowed:
        return False
    return limits.hit("accounts.challenge.used", name, limit=1, seconds=LIFE).allowed


def _is_solved(token: str, solution: str) -> bool:
    digest = hashlib.sha256(f"{token}:{solution}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest, "big") >> (256 - BITS) == 0
