"""Invitations: who may create an account where not everybody may. A link, one use, at first seven days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q

from idp.kernel import clock
from idp.kernel.ids import digest, secret_token

from .addresses import canonical_address
from .models import Invitation

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

DAYS = 7
KEPT = timedelta(days=30)
LONGEST_TOKEN = 64


def create(*, address: str = "", days: int = DAYS) -> tuple[Invitation, str]:
    """A new invitation and its link, which is not kept. With `address` only that one may use it. Raises ValidationError for a bad address."""
    token = secret_token(24)
    invitation = Invitation(
        token=digest(token), address=canonical_address(address) if address else "", expires_at=clock.now() + timedelta(days=days)
    )
    invitation.save(force_insert=True)
    return invitation, f"{settings.IDP.issuer}/signup?invitation={token}"


def find(token: str) -> Invitation | None:
    """The invitation of this token, if it can still be used."""
    if not 0 < len(token) <= LONGEST_TOKEN:
        return None
    return usable().filter(token=digest(token)).first()


def get(invitation_id: UUID) -> Invitation | None:
    """The invitation with this id, if it can still be used."""
    return usable().filter(pk=invitation_id).first()


def usable() -> QuerySet[Invitation]:
    """Those that were not used and are not over."""
    return Invitation.objects.filter(used_at=None, expires_at__gt=clock.now())


def claim(invitation_id: UUID) -> bool:
    """Use it: true for exactly one caller."""
    return usable().filter(pk=invitation_id).update(used_at=clock.now()) == 1


def claim_for(address: str, *, held: UUID | None = None) -> bool:
    """Use one for a canonical `address` that is proved: the one that its person `held`, else one that was made for this address."""
    fitting = usable().filter(Q(address=address) | Q(pk=held, address=""))
    return any(claim(one.pk) for one in sorted(fitting, key=lambda one: one.pk != held))


def revoke(invitation_id: UUID) -> bool:
    """Nobody can use it any more; false = nobody could."""
    return usable().filter(pk=invitation_id).delete()[0] > 0


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of invitations that were over a month ago; returns how many."""
    old = list(Invitation.objects.filter(expires_at__lt=clock.now() - KEPT).values_list("pk", flat=True)[:limit])
    return Invitation.objects.filter(pk__in=old).delete()[0] if old else 0
