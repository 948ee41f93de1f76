"""Codes that travel: by text message to a phone, by mail to the account's own address."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.db import transaction

from idp.accounts import mail, sms
from idp.kernel import clock, limits

from .models import Mailbox, Phone, SentCode, sent_code_digest

if TYPE_CHECKING:
    from idp.accounts.models import User

PAUSE = 30  # seconds between two codes of one factor
PER_HOUR = 6


def by_sms() -> bool:
    """Whether a code by text message may be somebody's second step here."""
    return settings.IDP.sms_codes and sms.available()


def mailbox_of(user: User) -> Mailbox:
    """The row that counts what is guessed at this person's codes by mail."""
    mailbox, _created = Mailbox.objects.get_or_create(user=user, defaults={"name": ""})
    return mailbox


def send(factor: SentCode) -> Literal["sent", "too_soon", "too_many"]:
    """Send a new code, which ends the former; never to an address that a form named (hostile case MF-08). Call it outside of a transaction.

    A factor that waits after wrong codes sends none: each would be one more thing to guess.
    """
    if not factor.verify_is_allowed()[0] or not factor.destination:
        return "too_many"
    # A phone that waits for its first code can be replaced by another row: all of them count as one.
    counted = factor.persistent_id if factor.confirmed else f"new:{factor.user_id}"
    if not limits.hit("mfa.send.pause", counted, limit=1, seconds=PAUSE).allowed:
        return "too_soon"
    if not limits.hit("mfa.send.hour", counted, limit=PER_HOUR, seconds=3600).allowed:
        return "too_many"
    code = f"{secrets.randbelow(1_000_000):06d}"
    until = clock.now() + factor.LIFE
    minutes = int(factor.LIFE.total_seconds()) // 60
    type(factor)._default_manager.filter(pk=factor.pk).update(digest=sent_code_digest(factor, code), until=until)
    if isinstance(factor, Phone):
        sent = sms.send_code(to=factor.number, code=code, minutes=minutes, expires_at=until, person=factor.user_id)
        return "sent" if sent else "too_many"
    with transaction.atomic():
        mail.send(to=factor.destination, template="confirm_code", expires_at=until, code=code, minutes=minutes)
    return "sent"


def hint(factor: SentCode) -> str:
    """Enough of where it goes for its owner to know it, not enough for others to learn it."""
    where = factor.destination
    if isinstance(factor, Phone):
        return f"{where[:3]} … {where[-2:]}"
    local, _, domain = where.partition("@")
    return f"{local[:1]}…@{domain}"
