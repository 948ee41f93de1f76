"""Where a person is signed in: their browser sessions, and what ends with one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from idp import sessions
from idp.accounts import mail, people
from idp.kernel import places
from idp.oidc.logout import ended_elsewhere
from idp.oidc.models import TokenFamily

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from idp.accounts.models import User


@dataclass(frozen=True, slots=True)
class Device:
    """One browser in which the person is signed in."""

    sid: str
    browser: str
    address: str
    place: str
    apps: tuple[str, ...]
    signed_in_at: datetime
    last_seen_at: datetime
    this: bool


def of_person(user: User, *, here: str) -> list[Device]:
    """Live sessions; the one with the sid `here` (this browser) first, then the most recently used. Two queries."""
    rows = [row for row in sessions.of_person(user.pk) if row.epoch == user.credential_epoch]
    used = _apps(row.sid for row in rows)
    found = [
        Device(
            sid=row.sid,
            browser=mail.device(row.user_agent) or _("Unknown browser"),
            address=row.ip,
            place=places.of(row.ip),
            apps=tuple(used[row.sid]),
            signed_in_at=row.authenticated_at,
            last_seen_at=row.last_seen_at,
            this=row.sid == here,
        )
        for row in rows
    ]
    return sorted(found, key=lambda device: not device.this)


def _apps(sids: Iterable[str]) -> defaultdict[str, list[str]]:
    """The names of the apps that were signed in to, by sid."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    pairs = TokenFamily.objects.filter(sid__in=list(sids)).values_list("sid", "client__name").distinct().order_by("client__name")
    for sid, name in pairs:
        names[sid].append(name)
    return names


def sign_out(user: User, *, sid: str) -> bool:
    """End one session and what apps got through it. False = no such session."""
    return ended_elsewhere.end(user.pk, sid, by=user.pk)


def sign_out_others(user: User, *, here: str) -> int:
    """End every session but the one with the sid `here`; returns how many."""
    return sum(sign_out(user, sid=device.sid) for device in of_person(user, here=here) if not device.this)


def sign_out_everywhere(user: User) -> None:
    """End every session, this one included, and every refresh family of the person."""
    with transaction.atomic():
        ended_elsewhere.end_all(user.pk, by=user.pk)
        people.sign_out_everywhere(user)
