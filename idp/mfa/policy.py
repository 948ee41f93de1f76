"""How strongly somebody must sign in: what the deployment and their groups ask, and how long they have to set up what they lack.

An app may ask for more (its `min_acr`); that is judged where the app asks, in `idp.oidc.authorization`.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from idp.access import groups
from idp.access.groups import Requirement
from idp.accounts import ways_in
from idp.kernel import clock
from idp.sessions import assurance

from . import factors
from .models import EnrolmentGrace

if TYPE_CHECKING:
    from idp.accounts.models import User


def of_person(user_id: UUID) -> Requirement:
    """What the deployment and the person's groups ask of a sign-in; no query as long as no group asks for anything."""
    return groups.strictest([Requirement(settings.IDP.min_acr, trusted_browsers=True), groups.requirement(user_id)])


def reaches(acr: str, wanted: str) -> bool:
    """Whether `acr` is enough for `wanted`; anything is enough for an empty one."""
    return assurance.rank(acr) >= assurance.rank(wanted)


def lacks(user: User, wanted: str) -> bool:
    """Whether this person has nothing to prove `wanted` with, and must set something up."""
    return bool(wanted) and not reaches(factors.reach(user), wanted)


def can_be_set_up(wanted: str) -> bool:
    """Whether our pages can set up what `wanted` takes: a passkey does, unless its make must be proved and nobody asks for that."""
    return reaches(assurance.PHISHING_RESISTANT if settings.IDP.passkey_attestation == "none" else assurance.HARDWARE, wanted)


def app_does(user: User, wanted: str) -> bool:
    """Whether an authenticator app is enough for `wanted`: beside a password it is, beside codes to a mailbox or phone it is not."""
    return reaches(assurance.TWO_FACTORS if ways_in.count(user) else assurance.ONE_FACTOR, wanted)


def grants_grace() -> bool:
    """Whether anybody may say "not now" at all."""
    return settings.IDP.enrolment_grace_days > 0


def grace_began(user: User) -> bool:
    """Whether this person was asked before."""
    return EnrolmentGrace.objects.filter(user=user).exists()


def days_left(user: User) -> int:
    """For how many days this person may still say "not now"; the first time that they are asked begins it. 0 = no more."""
    days = settings.IDP.enrolment_grace_days
    if not days:
        return 0
    grace, _created = EnrolmentGrace.objects.get_or_create(user=user, defaults={"began_at": clock.now()})
    left = grace.began_at + timedelta(days=days) - clock.now()
    return max(0, math.ceil(left / timedelta(days=1)))


def done(user: User) -> None:
    """The person has what was asked for: a later loss begins a grace period of its own."""
    EnrolmentGrace.objects.filter(user=user).delete()
