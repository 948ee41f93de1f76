"""Where a person is signed in: their browser sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from idp import sessions
from idp.accounts import mail
from idp.events import catalogue, emit
from idp.kernel.clock import now
from idp.oidc.issuance import families

if TYPE_CHECKING:
    from datetime import datetime

    from idp.accounts.models import User


@dataclass(frozen=True, slots=True)
class Device:
    """One browser in which the person is signed in."""

    sid: str
    browser: str
    address: str
    signed_in_at: datetime
    last_seen_at: datetime
    this: bool


def of_person(user: User, *, here: str) -> list[Device]:
    """Live sessions; the one with the sid `here` (this browser) first, then the most recently used."""
    found = [
        Device(
            sid=row.sid,
            browser=mail.device(row.user_agent) or _("Unknown browser"),
            address=row.ip,
            signed_in_at=row.authenticated_at,
            last_seen_at=row.last_seen_at,
            this=row.sid == here,
        )
        for row in sessions.of_person(user.pk)
        if row.epoch == user.credential_epoch
    ]
    return sorted(found, key=lambda device: not device.this)


def sign_out(user: User, *, sid: str) -> bool:
    """End one session and what apps got through it, but for access that the person allowed to last. False = no such session."""
    with transaction.atomic():
        if not sessions.end_one(user.pk, sid):
            return False
        families.revoke_of_session(sid, now=now())
        emit(catalogue.SessionEnded(reason="revoked", sid=sid), person=user.pk, by=user.pk)
    return True


def sign_out_others(user: User, *, here: str) -> int:
    """End every session but the one with the sid `here`; returns how many."""
    return sum(sign_out(user, sid=device.sid) for device in of_person(user, here=here) if not device.this)
