"""Another e-mail address or phone number: proved by a code, told to the former one, which can take it back for a week.

A change is open once per person and kind: asking again, or new credentials, makes the former code worthless (hostile case EM-05). The
former address works until the proof (EM-06), and an address that somebody else has answers like any other (PW-04).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from idp.events import catalogue, emit
from idp.kernel import clock, limits
from idp.kernel.ids import digest, secret_token

from . import mail, people, sms, ways_in
from .emails import canonical_email
from .models import AddressChange, User
from .phones import canonical_phone

if TYPE_CHECKING:
    from uuid import UUID

Kind = AddressChange.Kind
LIFE = timedelta(minutes=15)
UNDO = timedelta(days=7)
TRIES = 3
PER_PERSON = 5  # changes begun in an hour
PER_ADDRESS = 6  # messages to one address in an hour, whoever asks: the bound of all codes
HOUR = 3600
LONGEST_TOKEN = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code did."""

    done: bool = False
    refusal: Literal["", "wrong", "spent"] = ""
    tries_left: int = 0


class TooMany(Exception):
    """Enough changes were begun by one person for now; `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


def canonical(kind: Kind, text: str) -> str:
    """The one form of an address of this kind. Raises ValidationError."""
    return canonical_phone(text) if kind == Kind.PHONE else canonical_email(text)


def current(user: User, kind: Kind) -> str:
    """The present address of this kind; empty if there is none."""
    return (user.phone if kind == Kind.PHONE else user.email) or ""


def kinds() -> tuple[Kind, ...]:
    """What can be changed here: phones only where messages can be sent."""
    return (Kind.EMAIL, Kind.PHONE) if sms.available() else (Kind.EMAIL,)


def begin(user: User, *, kind: Kind, address: str) -> AddressChange:
    """Send a code to `address` and wait for it. Raises ValidationError for what is none or is the present one, TooMany."""
    wanted = canonical(kind, address)
    if wanted == current(user, kind):
        raise ValidationError(_("This is your present address."), code="unchanged")
    verdict = limits.hit("accounts.address_change", str(user.pk), limit=PER_PERSON, seconds=HOUR)
    if not verdict.allowed:
        raise TooMany(verdict.retry_after)
    others = User.objects.exclude(pk=user.pk)
    taken = (others.filter(phone=wanted) if kind == Kind.PHONE else others.filter(email=wanted)).exists()
    code, moment = f"{secrets.randbelow(1_000_000):06d}", clock.now()
    row = AddressChange(user=user, kind=kind, address=wanted, decoy=taken, epoch=user.credential_epoch, expires_at=moment + LIFE)
    admitted = limits.hit("accounts.proof.address", wanted, limit=PER_ADDRESS, seconds=HOUR).allowed
    row.code = _digest(row, code if admitted else secret_token())  # what is sent to nobody can only be guessed: nothing fits
    with transaction.atomic():
        AddressChange.objects.filter(user=user, kind=kind, done_at=None).delete()
        row.save(force_insert=True)
        emit(catalogue.AddressChangeRequested(kind=kind.value), person=user.pk)
        if admitted and kind == Kind.EMAIL:
            _mail_code(row, code)
    if admitted and kind == Kind.PHONE:  # counts against the budgets of messages, which are no part of a transaction
        sms.send_code(to=wanted, code=code, minutes=LIFE.seconds // 60, expires_at=row.expires_at, person=user.pk, decoy=taken)
    return row


def waiting(user: User, kind: Kind) -> AddressChange | None:
    """The change that waits for its code, if there is one."""
    rows = AddressChange.objects.filter(user=user, kind=kind, done_at=None, epoch=user.credential_epoch, tries__lt=TRIES)
    return rows.filter(expires_at__gt=clock.now()).first()


def cancel(user: User, kind: Kind) -> None:
    """The person does not want it any more."""
    AddressChange.objects.filter(user=user, kind=kind, done_at=None).delete()


def confirm(user: User, *, kind: Kind, code: str) -> Verdict:
    """Take one of the tries; with the right code the new address is the account's. Exact under parallel guesses."""
    row = waiting(user, kind)
    if row is None:
        return Verdict(refusal="spent")
    if not AddressChange.objects.filter(pk=row.pk, done_at=None, tries__lt=TRIES).update(tries=F("tries") + 1):
        return Verdict(refusal="spent")
    left = TRIES - row.tries - 1
    if row.decoy or not hmac.compare_digest(bytes(row.code), _digest(row, code)):
        return Verdict(refusal="wrong" if left > 0 else "spent", tries_left=max(0, left))
    try:
        with transaction.atomic():
            done = _take_over(user, row)
    except IntegrityError:  # somebody else proved the same address in the meantime
        done = False
    return Verdict(done=done, refusal="" if done else "spent")


def remove_phone(user: User) -> bool:
    """The account goes on without a phone number; False = there is none, or it is the only address."""
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if not locked.phone or not locked.email_verified:
            return False
        moment = clock.now()
        row = AddressChange(
            user=user, kind=Kind.PHONE, former=locked.phone, epoch=locked.credential_epoch, expires_at=moment, done_at=moment
        )
        row.code = b""
        _store(locked, Kind.PHONE, None, moment=moment)
        _tell(locked, row, was_proved=locked.phone_verified)
        user.refresh_from_db()
    return True


def vouched(user: User, address: str) -> bool:
    """Somebody who may vouch for it says that the person's e-mail address is this canonical one now; False = somebody else has it."""
    try:
        with transaction.atomic():
            locked = User.objects.select_for_update().get(pk=user.pk)
            moment = clock.now()
            row = AddressChange(
                user=user, kind=Kind.EMAIL, address=address, former=locked.email or "", epoch=locked.credential_epoch,
                expires_at=moment, done_at=moment,
            )  # fmt: skip
            row.code = b""
            _store(locked, Kind.EMAIL, address, moment=moment)
            _tell(locked, row, was_proved=locked.email_verified)
            user.refresh_from_db()
    except IntegrityError:
        return False
    return True


def with_undo(token: str) -> AddressChange | None:
    """The change that this token takes back. Changes nothing (EM-01)."""
    if not 0 < len(token) <= LONGEST_TOKEN:
        return None
    return AddressChange.objects.select_related("user").filter(undo=digest(token), undo_until__gt=clock.now()).first()


def undo(token: str) -> User | None:
    """The former address is the account's again and everything is signed out: somebody else may have been in. None = not (any more).

    Whoever changed the address knew the password, and what they set up afterwards was told to their address: the one does not work any
    more, the other goes. The caller leads to the recovery.
    """
    row = with_undo(token)
    if row is None:
        return None
    kind = Kind(row.kind)
    try:
        with transaction.atomic():
            if not AddressChange.objects.filter(pk=row.pk, undo=digest(token)).update(undo=None, undo_until=None):
                return None
            user = User.objects.select_for_update().get(pk=row.user_id)
            # Changes after this one are somebody else's as well; what waits is worthless by the epoch.
            _store(user, kind, row.former, moment=clock.now())
            people.forget_password(user)
            ways_in.forget_all(user, since=row.done_at)
            AddressChange.objects.filter(user=user, kind=kind).exclude(pk=row.pk).delete()
            emit(catalogue.AddressChangeUndone(kind=kind.value), person=user.pk)
            user.refresh_from_db()
    except IntegrityError:  # the former address belongs to another account by now
        return None
    return user


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of changes that can neither be finished nor undone; returns how many."""
    moment = clock.now()
    rows = AddressChange.objects.filter(expires_at__lt=moment).exclude(undo_until__gt=moment)
    old = list(rows.values_list("pk", flat=True)[:limit])
    return AddressChange.objects.filter(pk__in=old).delete()[0] if old else 0


def _take_over(user: User, row: AddressChange) -> bool:
    moment = clock.now()
    # The single-use gate is the first statement: two windows cannot both finish one change.
    if not AddressChange.objects.filter(pk=row.pk, done_at=None).update(done_at=moment):
        return False
    kind = Kind(row.kind)
    locked = User.objects.select_for_update().get(pk=user.pk)
    if locked.credential_epoch != row.epoch or not locked.is_active:
        return False
    row.former = current(locked, kind)
    was_proved = locked.phone_verified if kind == Kind.PHONE else locked.email_verified
    _store(locked, kind, row.address, moment=moment)
    _tell(locked, row, was_proved=was_proved)
    user.refresh_from_db()
    return True


def _store(user: User, kind: Kind, address: str | None, *, moment: object) -> None:
    proved = moment if address else None
    values = (
        {"email": address or None, "email_verified_at": proved}
        if kind == Kind.EMAIL
        else {"phone": address or None, "phone_verified_at": proved}
    )
    User.objects.filter(pk=user.pk).update(**values, updated_at=moment)
    emit(catalogue.AccountEmailChanged() if kind == Kind.EMAIL else catalogue.AccountPhoneChanged(), person=user.pk)
    if kind == Kind.EMAIL:
        from .allauth import replace_address  # the one module that knows allauth's table

        replace_address(User.objects.get(pk=user.pk))


def _tell(user: User, row: AddressChange, *, was_proved: bool) -> None:
    """Both addresses hear of it; the former one, if it was really theirs, with the way back."""
    token = secret_token(32)
    if row.former and was_proved:
        row.undo, row.undo_until = digest(token), clock.now() + UNDO
    row.save(update_fields=None if row._state.adding else ["former", "undo", "undo_until"])
    if row.undo is None:
        return
    link = f"{settings.IDP.issuer}/account/address/undo?token={token}"
    values = {"address": row.address, "former": row.former, "link": link, "days": UNDO.days, "kind": row.kind}
    if row.kind == Kind.EMAIL:
        mail.send(to=row.former, template="address_changed", expires_at=row.undo_until, **values)
        return
    if user.email and user.email_verified:
        mail.send(to=user.email, template="address_changed", expires_at=row.undo_until, **values)
    else:
        text = _("The phone number of your account at %(brand)s was changed. If it was not you, take it back here: %(link)s")
        sms.tell(to=row.former, text=text % {"brand": settings.IDP.brand_name, "link": link}, person=user.pk)


def _mail_code(row: AddressChange, code: str) -> None:
    if row.decoy:
        mail.send(to=row.address, template="address_taken", expires_at=row.expires_at)
    else:
        mail.send(to=row.address, template="address_code", expires_at=row.expires_at, code=code, minutes=LIFE.seconds // 60)


def _digest(row: AddressChange, code: str) -> bytes:
    # Bound to change, person and address (EM-07); six digits are no secret at rest unless a key outside of the database is mixed in.
    return salted_hmac("idp.accounts.address_change", f"{row.pk}:{row.user_id}:{row.address}:{code}", algorithm="sha256").digest()


def of_person(user_id: UUID) -> list[AddressChange]:
    """Changes of a person that are still kept, newest first."""
    return list(AddressChange.objects.filter(user_id=user_id).order_by("-created_at"))
