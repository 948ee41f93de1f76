"""A new authenticator app or phone on its way: it waits until the first code has come back.

The secret of an app waits sealed in the session, a phone as a row that is no factor yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.kernel import limits, sealing

from . import factors, verification
from .factors import Enrolment

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import User

    from .models import Phone, TotpDevice

WAITING = "authenticator_to_add"
LIMIT = "mfa.enrol"
GUESSES, SECONDS = 10, 900  # first codes of one person, for whatever is being added (hostile case MF-15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was added; or nothing, and how many seconds to wait where guessing went too far."""

    device: TotpDevice | Phone | None = None
    retry_after: int = 0


def waiting(request: HttpRequest, user: User) -> Enrolment | None:
    """What waits in this session for this person."""
    sealed = request.session.get(WAITING)
    if not isinstance(sealed, str):
        return None
    try:
        return factors.begin(user, sealed=sealed)
    except sealing.SealBroken:  # of somebody who was signed in here before, or its key is gone
        return None


def offered(request: HttpRequest, user: User) -> Enrolment:
    """What waits, or a new secret that waits from now on: the app need not be set up again after a mistake."""
    enrolment = waiting(request, user) or factors.begin(user)
    request.session[WAITING] = enrolment.sealed
    return enrolment


def confirm(request: HttpRequest, user: User, enrolment: Enrolment, *, typed: str, name: str) -> Outcome:
    """The first code: right, and the app is a factor. Call it outside of a transaction."""
    wait = _wait(user)
    if wait:
        return Outcome(retry_after=wait)
    device = factors.add(user, sealed=enrolment.sealed, code=verification.normalise(typed), name=name)
    if device is not None:
        limits.clear(LIMIT, str(user.pk))
        request.session.pop(WAITING, None)
    return Outcome(device)


def confirm_phone(user: User, phone: Phone, *, typed: str) -> Outcome:
    """The same for the code that was sent to a phone which waits. Call it outside of a transaction."""
    wait = _wait(user) or phone.wait()
    if wait:
        return Outcome(retry_after=wait)
    if not factors.confirm_phone(user, phone, verification.normalise(typed)):
        return Outcome()
    limits.clear(LIMIT, str(user.pk))
    return Outcome(phone)


def _wait(user: User) -> int:
    verdict = limits.hit(LIMIT, str(user.pk), limit=GUESSES, seconds=SECONDS)
    return 0 if verdict.allowed else max(1, verdict.retry_after)
