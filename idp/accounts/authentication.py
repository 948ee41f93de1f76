"""May this password in? One door for signing in, proving oneself again and changing the password, so they share one budget (PW-12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from idp.events import emit
from idp.events.catalogue import AccountLocked, SignInFailed
from idp.kernel import context, limits

from . import browsers, challenge, hashers, lockout, passwords
from .addresses import find, lookup_key
from .models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

# Per client address, in one minute. Only what was looked at counts as a guess: a house full of people signs in freely, and nobody's lock
# uses up the guesses of their neighbours. What was refused unseen has a bound of its own, because each refusal is a row in the log.
GUESSES, REFUSALS, SECONDS = 30, 300, 60
_GUESSED, _REFUSED = "accounts.wrong_password.ip", "accounts.refused_password.ip"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a password: the person, or a reason. `retry_after` in seconds where waiting helps."""

    user: User | None = None
    refusal: Literal["", "wrong", "locked", "throttled", "challenge"] = ""
    retry_after: int = 0


def attempt(
    request: HttpRequest | None,
    *,
    password: str,
    identifier: str = "",
    user: User | None = None,
    client_id: str | None = None,
    solved: bool = False,
) -> Attempt:
    """Judge one password, for what was typed as `identifier` or for a `user` who is known already.

    `solved`: some work was done for it (`challenge`), which is asked of whoever is not known yet after many failures.
    Nobody learns from answer or time whether an identifier belongs to somebody: every evaluated attempt costs the same three
    statements and one hash of today's price. Records every failure. Raises passwords.HashingBusy.
    The person may still be refused afterwards: ask `gate`.
    """
    address = ip_key()
    verdict, *work = limits.peek_all(((_GUESSED, address, GUESSES), *challenge.rules()))
    if not verdict.allowed:
        return Attempt(refusal="throttled", retry_after=verdict.retry_after)
    if user is None and not solved and not all(one.allowed for one in work):
        return Attempt(refusal="challenge")
    if user is None:
        user = find(identifier)
    # 128 characters is all that was ever hashed: a longer text cannot match, and is not hashed to find out (PW-14).
    if passwords.too_long(password):
        return _failed(address, "wrong", user=user, client_id=client_id)
    reservation = lockout.reserve(counter(request, user, identifier))
    if not reservation.allowed:
        return _failed(address, "locked", user=user, client_id=client_id, retry_after=reservation.retry_after)
    try:
        matches = _matches(user, password)
    except passwords.HashingBusy:
        lockout.give_back(reservation.key)
        raise
    if user is not None and matches:
        lockout.clear(reservation.key)
        return Attempt(user=user)
    if user is not None and reservation.is_last:
        emit(AccountLocked(seconds=int(lockout.LOCK.total_seconds())), person=user.pk)
    return _failed(address, "wrong", user=user, client_id=client_id)


def ip_key() -> str:
    """The client's address as limits count it."""
    return context.network()


def counter(request: HttpRequest | None, user: User | None, identifier: str) -> bytes:
    """The key of `lockout` on which a guess at `user`, or at an identifier of nobody, from this browser counts."""
    if user is None:
        return lockout.unknown_key(lookup_key(identifier))
    browser = browsers.known_as(request, user)
    return lockout.browser_key(user.pk, browser) if browser else lockout.person_key(user.pk)


def _matches(user: User | None, password: str) -> bool:
    if user is None or not user.has_usable_password():
        # The price of a hash, paid where there is none to compare with (PW-01; Django CVE-2024-39329).
        User().set_password(password)
        return False
    if user.check_password(password):
        return True
    if hashers.is_foreign(user.password):
        User().set_password(password)  # an imported hash may be cheaper than ours: a wrong password never costs less than for anybody
    return False


def failed_code(user: User | None, *, method: str, locks: bool) -> None:
    """A code that opens an account was wrong: it counts for the network like a wrong password, and is recorded."""
    limits.hit(_GUESSED, ip_key(), limit=GUESSES, seconds=SECONDS)
    challenge.failed()
    if locks and user is not None:
        emit(AccountLocked(seconds=int(lockout.LOCK.total_seconds())), person=user.pk)
    emit(SignInFailed(reason="wrong_code" if user is not None else "unknown_identifier", method=method), person=user.pk if user else None)


def _failed(
    address: str, refusal: Literal["wrong", "locked"], *, user: User | None, client_id: str | None, retry_after: int = 0
) -> Attempt:
    if refusal == "wrong":
        limits.hit(_GUESSED, address, limit=GUESSES, seconds=SECONDS)
        challenge.failed()
    else:
        verdict = limits.hit(_REFUSED, address, limit=REFUSALS, seconds=SECONDS)
        if not verdict.allowed:
            return Attempt(refusal="throttled", retry_after=verdict.retry_after)
    reason = "locked" if refusal == "locked" else "wrong_password" if user is not None else "unknown_identifier"
    emit(SignInFailed(reason=reason, client_id=client_id), person=user.pk if user is not None else None)
    return Attempt(refusal=refusal, retry_after=retry_after)
