"""Leaving for good: the wish, the days in which it can be taken back, and then nothing that could be led back to the person.

What other floors keep about people is theirs to forget: each has a line in `settings.ERASERS`. What is left of somebody is their `sub`
as a tombstone, so that it is never given to anybody else, and what the log is kept for, without address, device and name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import F
from django.utils.module_loading import import_string

from idp.events import catalogue, emit
from idp.kernel import clock

from . import lockout, mail
from .models import AddressChange, AddressProof, GuessCounter, Invitation, Tombstone, User

if TYPE_CHECKING:
    Eraser = Callable[[UUID, frozenset[str]], object]

SALT = "idp.accounts.keep"
log = logging.getLogger(__name__)


def ask(user: User) -> datetime:
    """The person wants to be deleted: nothing works for them from now on; returns when everything is erased.

    The caller ends the sessions first, so that apps are told. Every verified mail address gets the link that takes it back.
    """
    days = settings.IDP.deletion_grace_days
    with transaction.atomic():
        due = clock.now() + timedelta(days=days)
        changed = User.objects.filter(pk=user.pk, is_active=True).update(
            is_active=False, erase_at=due, credential_epoch=F("credential_epoch") + 1
        )
        user.refresh_from_db()
        if not changed:
            return user.erase_at or due
        emit(catalogue.DeletionRequested(days=days), person=user.pk)
        if user.email and user.email_verified and days:
            link = f"{settings.IDP.issuer}/account/keep?token={keep_token(user)}"
            mail.send(to=user.email, template="deletion_requested", expires_at=due, link=link, due=due, days=days)
    return due


def keep_token(user: User) -> str:
    """What the link in that mail holds: good for this wish of this person only."""
    return signing.dumps([user.pk.hex, user.credential_epoch], salt=SALT)


def person_of(token: str) -> User | None:
    """Whom this token lets stay, if they still wait. Changes nothing (hostile case EM-01)."""
    try:
        person, epoch = signing.loads(token, salt=SALT)
        return User.objects.filter(pk=UUID(hex=person), credential_epoch=epoch, is_active=False, erase_at__gt=clock.now()).first()
    except (signing.BadSignature, ValueError, TypeError):
        return None


def keep(user: User) -> bool:
    """The person stays after all. False = it was too late, or there was no such wish."""
    with transaction.atomic():
        waiting = User.objects.filter(pk=user.pk, is_active=False, erase_at__gt=clock.now())
        kept = waiting.update(is_active=True, erase_at=None)
        if kept:
            emit(catalogue.DeletionCancelled(), person=user.pk)
    return bool(kept)


def erase(user: User, *, by: UUID | None = None) -> None:
    """Forget everything about `user` in one transaction; the last event of the person says so. Used by the grace period and by operators."""
    with transaction.atomic():
        if not User.objects.select_for_update().filter(pk=user.pk).exists():
            return
        addresses = known_addresses(user)
        for path in settings.ERASERS:
            eraser: Eraser = import_string(path)
            eraser(user.pk, addresses)
        emit(catalogue.AccountErased(), person=user.pk, by=by)
        Tombstone.objects.get_or_create(sub=user.pk)
        User.objects.get(pk=user.pk).delete()


def is_buried(sub: UUID) -> bool:
    """Whether this identifier belonged to somebody who was erased: nobody gets it again."""
    return Tombstone.objects.filter(sub=sub).exists()


def erase_due(limit: int = 20) -> int:
    """Erase those whose days are over, one bounded batch; returns how many. A failure of one does not keep the others."""
    due = list(User.objects.filter(erase_at__lte=clock.now(), is_active=False).order_by("erase_at")[:limit])
    done = 0
    for user in due:
        try:
            erase(user)
            done += 1
        except Exception:
            log.exception("somebody could not be erased; it is tried again")
    return done


def known_addresses(user: User) -> frozenset[str]:
    """Every address that the person has, had lately, or wanted."""
    changes = AddressChange.objects.filter(user=user).values_list("address", "former")
    found = {user.email or "", user.phone or "", *(address for pair in changes for address in pair)}
    return frozenset(found - {""})


def forget_proofs(person: UUID, addresses: frozenset[str]) -> int:
    """An eraser: codes on their way to the person's addresses, also for sign-ups that nobody finished, and the count of wrong passwords."""
    GuessCounter.objects.filter(pk=lockout.person_key(person)).delete()
    Invitation.objects.filter(address__in=addresses).delete()
    return AddressProof.objects.filter(address__in=addresses).delete()[0]
