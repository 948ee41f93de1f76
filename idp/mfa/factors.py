"""A person's factors: which there are, adding, naming and removing them. Each change with its event and its mail, in one transaction."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import django_otp
from django.apps import apps
from django.conf import settings
from django.db import transaction

from idp import sessions
from idp.accounts import ways_in
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import FactorAdded, FactorRemoved, FactorRenamed, RecoveryCodesMade
from idp.kernel import clock, db
from idp.kernel.ids import REFERENCE_ALPHABET
from idp.sessions import assurance

from . import notices, sending, trust
from .models import Factor, Phone, RecoveryCode, RecoveryCodes, TotpDevice, WebAuthnKey, open_secret, recovery_digest, seal_secret, step_of
from .verification import RECOVERY_LENGTH

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

MOST = 5  # apps per person: each is one more chance per guess
CODES = 10
HELD = (TotpDevice, WebAuthnKey, Phone, RecoveryCodes)  # all that a session may stand on beside the password
SECRET_BYTES = 20  # RFC 4226 4: 160 bits recommended


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to be added: `sealed` is what waits for the first code, the others are shown."""

    sealed: str
    manual_key: str
    uri: str


def of_person(user: User) -> list[TotpDevice]:
    """The person's apps, oldest first."""
    return list(TotpDevice.objects.filter(user=user, confirmed=True).order_by("pk"))


def keys_of(user: User) -> list[WebAuthnKey]:
    """The person's passkeys and security keys, oldest first."""
    return list(WebAuthnKey.objects.filter(user=user).order_by("pk"))


def is_last_way_in(user: User, device: TotpDevice | WebAuthnKey | Phone) -> bool:
    """Whether without this nobody could sign in to the account any more (hostile case WK-17)."""
    return isinstance(device, WebAuthnKey) and ways_in.count(user) <= (1 if device.signs_in_alone else 0)


def ways_in_of(user: User) -> int:
    """How many of them let the person in by themselves (`settings.WAYS_IN`)."""
    return sum(1 for key in keys_of(user) if key.signs_in_alone)


def phones_of(user: User) -> list[Phone]:
    """The person's phones for codes by text message, oldest first; none where this installation allows none."""
    return list(Phone.objects.filter(user=user, confirmed=True).order_by("pk")) if sending.by_sms() else []


def required(user: User) -> bool:
    """Whether the password alone does not let this person in. A factor that guessing switched off still counts: nobody may guess it away."""
    # One statement in every sign-in, by hand: building it from a query set cost as much as all other statements of a sign-in.
    held = _HELD_WITH_PHONE if sending.by_sms() else _HELD
    return db.row(held, [user.pk] * held.count("%s")) is not None


_HELD = (
    f"SELECT 1 WHERE EXISTS (SELECT 1 FROM {TotpDevice._meta.db_table} WHERE user_id = %s AND confirmed)"  # noqa: S608 - constants only
    f" OR EXISTS (SELECT 1 FROM {WebAuthnKey._meta.db_table} WHERE user_id = %s)"
)
_HELD_WITH_PHONE = f"{_HELD} OR EXISTS (SELECT 1 FROM {Phone._meta.db_table} WHERE user_id = %s AND confirmed)"  # noqa: S608


def reach(user: User) -> str:
    """The highest acr that this person could prove now."""
    keys = [key for key in keys_of(user) if key.disabled_at is None]
    if any(key.attested and not key.backup_eligible for key in keys):
        return assurance.HARDWARE
    if keys:
        return assurance.PHISHING_RESISTANT
    held, knows = required(user), ways_in.count(user) > 0
    # What one holds is no second kind beside a code that was mailed or texted to sign in: that takes a password or another provider.
    if held and knows:
        return assurance.TWO_FACTORS
    # Who has nothing at all signs in with codes by mail, which are no factor: they may add their first one.
    return assurance.ONE_FACTOR if held or knows else assurance.NOTHING


def references(user: User) -> set[str]:
    """References of all that the person holds now."""
    return {factor.persistent_id for model in HELD for factor in model.objects.filter(user=user)}


def codes_left(user: User) -> int | None:
    """How many recovery codes are unused; None = none were ever made."""
    sheet = RecoveryCodes.objects.filter(user=user).first()
    return sheet.left() if sheet is not None else None


def begin(user: User, *, sealed: str = "") -> Enrolment:
    """A new secret, or again the one that waits as `sealed`. Raises SealBroken when that is not this person's."""
    secret = open_secret(user.pk, sealed) if sealed else os.urandom(SECRET_BYTES)
    key = base64.b32encode(secret).decode()
    brand = settings.IDP.brand_name.replace(":", " ")
    label = quote(f"{brand}:{user.email or user.pk}")
    query = urlencode({"secret": key, "issuer": brand, "algorithm": "SHA1", "digits": 6, "period": 30}, quote_via=quote)
    manual_key = " ".join(key[start : start + 4] for start in range(0, len(key), 4))
    return Enrolment(sealed or seal_secret(user.pk, secret), manual_key, f"otpauth://totp/{label}?{query}")


def add(user: User, *, sealed: str, code: str, name: str) -> TotpDevice | None:
    """The app showed the right code: it is a factor from now on, and that code is spent. None = wrong code, or too many apps."""
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return None
    found = step_of(open_secret(user.pk, sealed), code)
    if found is None:
        return None
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # one change of one person's factors at a time
        if TotpDevice.objects.filter(user=user).count() >= MOST:
            return None
        device = TotpDevice(user=user, name=name, sealed_secret=sealed, last_step=found[0], drift=found[1], last_used_at=clock.now())
        device.save(force_insert=True)
        emit(FactorAdded(kind=device.kind, factor=device.persistent_id), person=user.pk)
        notices.tell(user, "added", kind=device.kind, named=name)
    return device


def add_phone(user: User, number: str) -> Phone | None:
    """A phone that waits for its first code; one that waited before goes. None = too many phones, or it is there already."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        Phone.objects.filter(user=user, confirmed=False).delete()
        held = list(Phone.objects.filter(user=user))
        if len(held) >= MOST or any(phone.number == number for phone in held):
            return None
        phone = Phone(user=user, name="", number=number, confirmed=False)
        phone.save(force_insert=True)
    return phone


def waiting_phone(user: User) -> Phone | None:
    """The phone that waits for its first code."""
    return Phone.objects.filter(user=user, confirmed=False).first()


def confirm_phone(user: User, phone: Phone, code: str) -> bool:
    """The first code came back: the phone is a factor. Wrong ones count like those of a sign-in (hostile case MF-15)."""
    if django_otp.verify_token(user, phone.persistent_id, code) is None:
        return False
    with transaction.atomic():
        if not Phone.objects.filter(pk=phone.pk, user=user, confirmed=False).update(confirmed=True):
            return False
        emit(FactorAdded(kind=phone.kind, factor=phone.persistent_id), person=user.pk)
        notices.tell(user, "added", kind=phone.kind, named=sending.hint(phone))
    return True


def rename(user: User, device: TotpDevice | WebAuthnKey | Phone, name: str) -> None:
    """Another name, for the person's eyes only."""
    with transaction.atomic():
        if type(device).objects.filter(pk=device.pk, user=user).update(name=name):
            emit(FactorRenamed(kind=device.kind, factor=device.persistent_id), person=user.pk)


def remove(user: User, device: TotpDevice | WebAuthnKey | Phone, *, request: HttpRequest) -> bool:
    """It does not work any more, and sessions that stood on it lose what it gave (hostile case MF-11). False = it was gone.

    Without a factor recovery codes stand for nothing: the last one takes them along. Browsers that were trusted are asked again.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        ref = device.persistent_id
        if is_last_way_in(user, device) or not type(device).objects.filter(pk=device.pk, user=user).delete()[0]:
            return False
        gone = [ref]
        if not required(user):
            gone += [sheet.persistent_id for sheet in RecoveryCodes.objects.filter(user=user)]
            RecoveryCodes.objects.filter(user=user).delete()
        sessions.forget_factors(user.pk, gone, request=request)
        trust.end(user, request=request)
        emit(FactorRemoved(kind=device.kind, factor=ref), person=user.pk)
        notices.tell(user, "removed", kind=device.kind, named=device.name)
    return True


def make_codes(user: User, *, request: HttpRequest) -> list[str]:
    """Ten new recovery codes, to be shown once; former ones end."""
    codes = ["".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(CODES)]
    while any(code.isdigit() for code in codes):  # it would be taken for something else when typed in parts
        codes = ["".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(CODES)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        former = [sheet.persistent_id for sheet in RecoveryCodes.objects.filter(user=user)]
        RecoveryCodes.objects.filter(user=user).delete()
        if former:
            sessions.forget_factors(user.pk, former, request=request)
        sheet = RecoveryCodes(user=user, name="")
        sheet.save(force_insert=True)
        RecoveryCode.objects.bulk_create(RecoveryCode(sheet=sheet, digest=recovery_digest(user.pk, code)) for code in codes)
        emit(RecoveryCodesMade(count=len(codes)), person=user.pk)
        notices.tell(user, "codes_made")
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def forget_all(user: User, *, since: datetime | None = None) -> None:
    """Every factor goes, or each that was set up `since` then (`settings.CREDENTIALS`): it was not the owner who did (hostile case PW-18)."""
    trust.end(user)
    for model in apps.get_models():
        if not issubclass(model, Factor):
            continue
        rows = model._default_manager.filter(user=user)
        for factor in rows if since is None else rows.filter(created_at__gte=since):
            if isinstance(factor, HELD):
                emit(FactorRemoved(kind=factor.kind, factor=factor.persistent_id), person=user.pk)
            factor.delete()
