"""A new authenticator app on its way: the secret waits, sealed, in the session until the app has shown the first code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.kernel import limits, sealing

from . import factors, verification
from .factors import Enrolment

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import User

    from .models import TotpDevice

WAITING = "authenticator_to_add"
GUESSES, SECONDS = 10, 900  # codes of an app that is being added (hostile case MF-15)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The new app; or nothing, and how many seconds to wait where guessing went too far."""

    device: TotpDevice | None = None
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
    verdict = limits.hit("mfa.enrol", str(user.pk), limit=GUESSES, seconds=SECONDS)
    if not verdict.allowed:
        return Outcome(retry_after=max(1, verdict.retry_after))
    device = factors.add(user, sealed=enrolment.sealed, code=verification.normalise(typed), name=name)
    if device is not None:
        limits.clear("mfa.enrol", str(user.pk))
        request.session.pop(WAITING, None)
    return Outcome(device)
