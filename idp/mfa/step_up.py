"""More than the sign-in had proved: for the app that asks for it, and before a change of one's own factors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from idp import sessions
from idp.accounts import allauth as seam
from idp.events import emit
from idp.events.catalogue import SignInSteppedUp
from idp.kernel import clock
from idp.sessions import assurance

from . import factors, reset

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import User

    from .models import Factor

FRESH = timedelta(minutes=5)  # hostile case BR-06
LONGEST = timedelta(minutes=15)  # however often protected actions renew it
RENEWED = "proof_renewed_until"


def prove(request: HttpRequest, user: User, factor: Factor, *, client_id: str | None = None, **facts: bool) -> None:
    """Somebody who is signed in proved one more factor: their session says so from now on."""
    if factor.user_id != user.pk:
        raise PermissionError("a factor of somebody else")
    # What a factor that is gone had proved counts for nothing (MF-11), whatever an older tab wrote back into the session.
    held = {str(entry.get("device", "")) for entry in seam.recorded(request, user)} - {""}
    seam.forget(request.session, held - factors.references(user))
    seam.record(request, user, factor.kind, device=factor.persistent_id, **facts)
    found = sessions.step_up(request, user)
    reset.call_off(user)
    emit(SignInSteppedUp(amr=found.amr, client_id=client_id), person=user.pk)


def has_two_factors(request: HttpRequest) -> bool:
    """Whether the session of this browser stands on two kinds of proof."""
    session = sessions.current(request)
    return session is not None and assurance.rank(session.acr) >= assurance.rank(assurance.TWO_FACTORS)


def is_fresh(request: HttpRequest, user: User) -> bool:
    """Whether the person may change how they sign in: proved within five minutes, with a second factor where there is one (MF-07)."""
    session = sessions.current(request)
    if session is None:
        return False
    age = clock.now() - session.authenticated_at
    if age > LONGEST or (age > FRESH and not _is_renewed(request)):
        return False
    return is_enough(user, session.acr)


def is_enough(user: User, acr: str) -> bool:
    """Whether whoever proved `acr` may change how this person signs in: two factors, or as much as the person could prove (MF-07)."""
    return assurance.rank(acr) >= min(assurance.rank(assurance.TWO_FACTORS), assurance.rank(factors.reach(user)))


def renew(request: HttpRequest) -> None:
    """A protected action was done: whoever does several in a row is not asked before each."""
    request.session[RENEWED] = (clock.now() + FRESH).timestamp()


def _is_renewed(request: HttpRequest) -> bool:
    until = request.session.get(RENEWED)
    return isinstance(until, float) and clock.now().timestamp() < until
