"""What is done to an account: create, verify, new password, disable, enable. Each with its event, in one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from idp.events import emit
from idp.events.catalogue import (
    AccountAllSignedOut,
    AccountCreated,
    AccountDisabled,
    AccountEmailChanged,
    AccountEmailVerified,
    AccountEnabled,
    AccountExpired,
    AccountPasswordChanged,
    AccountPhoneChanged,
    AccountPhoneVerified,
    AccountRecovered,
    AccountSignedOutEverywhere,
    AccountTermsAccepted,
    AccountVerified,
)
from idp.events.changes import diff
from idp.events.models import EventRecord
from idp.kernel import clock

from . import lockout, mail, passwords
from .addresses import is_phone
from .claims import sealed
from .emails import canonical_email
from .models import AddressProof, Tombstone, User
from .phones import canonical_phone

if TYPE_CHECKING:
    from uuid import UUID


# Ways of making an account that need no proof of the address: somebody answers for them.
OF_THE_OPERATOR = frozenset({"command", "staff", "import"})


class AddressTaken(ValueError):
    """Another account has this e-mail address or phone number."""


EmailTaken = AddressTaken


class Overtaken(RuntimeError):
    """The credentials changed meanwhile: what was proved is about the former ones."""


def create(
    *,
    email: str | None = None,
    phone: str | None = None,
    method: str,
    password: str | None = None,
    password_hash: str = "",
    verified: bool = False,
    claims: dict[str, Any] | None = None,
    person_id: UUID | None = None,
) -> User:
    """Save a new person. Raises ValidationError for a bad address or number, AddressTaken when somebody has it (or the `person_id`).

    `claims` are as `claims.validated` gives them. `verified` is about every address given. The policy for passwords is the caller's to apply; a `password_hash` is stored as it is.
    What people make themselves and do not verify expires (`IDP_UNVERIFIED_DAYS`); what an operator makes stays.
    """
    user = User(email=canonical_email(email) if email else None, phone=canonical_phone(phone) if phone else None)
    if person_id is not None:
        if Tombstone.objects.filter(pk=person_id).exists():  # the identifier of somebody who was erased is never given out again
            raise AddressTaken
        user.pk = person_id
    user.claims = sealed(user.pk, claims or {})
    if not verified and method not in OF_THE_OPERATOR:
        user.unverified_until = clock.now() + timedelta(days=settings.IDP.unverified_days)
    if password_hash:
        user.password = password_hash
    else:
        user.set_password(password)  # None: a password that can never match (PW-16)
    with transaction.atomic():
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError:
            raise AddressTaken from None
        known = {name: value for name, value in (("email", user.email), ("phone", user.phone)) if value}
        by_staff = diff({}, {**known, **(claims or {})}, personal=None) if method != "signup" else None
        emit(AccountCreated(method=method), person=user.pk, changes=by_staff)
        if verified and user.phone:
            mark_verified(user, phone=True)
        if verified and user.email:
            mark_verified(user)
        else:
            record_address(user)
    return user


def mark_verified(user: User, *, phone: bool = False) -> None:
    """The person reads mail at `user.email`, or messages at `user.phone`."""
    column = "phone_verified_at" if phone else "email_verified_at"
    with transaction.atomic():
        moment = clock.now()
        changes = {column: moment, "updated_at": moment, "unverified_until": None}
        if User.objects.filter(pk=user.pk, **{column: None}).update(**changes):
            for name, value in changes.items():
                setattr(user, name, value)
            emit(AccountPhoneVerified() if phone else AccountEmailVerified(), person=user.pk)
            if not EventRecord.objects.filter(person=user.pk, name=AccountVerified.name).exists():
                emit(AccountVerified(), person=user.pk)
        record_address(user)


def accept_terms(user: User, version: str) -> None:
    """The person accepted the terms in this version, now."""
    with transaction.atomic():
        moment = clock.now()
        if User.objects.filter(pk=user.pk).exclude(terms_version=version).update(terms_version=version, terms_accepted_at=moment):
            user.terms_version, user.terms_accepted_at = version, moment
            emit(AccountTermsAccepted(version=version), person=user.pk)


def supersede_unverified(address: str) -> User | None:
    """Somebody proved in another way (an outside login, say) that this canonical `address` is theirs, which an account has unverified.

    Nothing of whoever made that account stays (hostile case PW-18, pre-hijacking): one that people made themselves is removed, and None
    says that the address is free. One that an operator made is the right person's: it is returned, verified, with no password, no phone
    number, and every link, session and refresh family ended. None too when nobody has the address unverified.
    """
    with transaction.atomic():
        held = {"phone": address} if is_phone(address) else {"email": address}
        user = (
            User.objects.select_for_update()
            .filter(**held, email_verified_at=None, phone_verified_at=None, is_active=True, is_staff=False)
            .first()
        )
        if user is None:
            return None
        if user.unverified_until is not None:
            _remove(user, reason="superseded")
            return None
        AddressProof.objects.filter(user=user).delete()
        _replace_password(user, make_password(None))
        if user.phone and not is_phone(address):  # nobody proved it, and a code that is sent there would sign in
            User.objects.filter(pk=user.pk).update(phone=None)
            user.phone = None
            emit(AccountPhoneChanged(), person=user.pk)
        mark_verified(user, phone=is_phone(address))
        return user


def release_address(user: User) -> None:
    """The account loses an e-mail address that it never proved to be its own: the owner has come. It keeps everything else."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, email=user.email, email_verified_at=None).update(email=None, updated_at=clock.now()):
            AddressProof.objects.filter(user=user, address=user.email).delete()
            emit(AccountEmailChanged(), person=user.pk)


def delete_never_verified(limit: int = 100) -> int:
    """Remove one bounded batch of accounts that people made and did not verify in time; returns how many."""
    due = User.objects.filter(unverified_until__lte=clock.now(), email_verified_at=None, phone_verified_at=None)
    found = list(due.values_list("pk", flat=True)[:limit])
    removed = 0
    for pk in found:
        with transaction.atomic():
            # Asked again under the lock: it may have been verified in this moment.
            user = due.select_for_update().filter(pk=pk).first()
            if user is not None:
                _remove(user, reason="age")
                removed += 1
    return removed


def _remove(user: User, *, reason: str) -> None:
    emit(AccountExpired(reason=reason), person=user.pk)
    user.delete()


def record_address(user: User) -> None:
    """Keep allauth's list of addresses in step with the account (its social sign-in and address change read that)."""
    from .allauth import record_address as record

    record(user)


def change_password(user: User, password: str) -> None:
    """The person, signed in and having proved the current password, chose a new one. Ends all their sessions and refresh families.

    Raises Overtaken if the credentials changed since `user` was read.
    """
    with transaction.atomic():
        _replace_password(user, make_password(passwords.normalise(password)), short=passwords.is_short(password))
        emit(AccountPasswordChanged(), person=user.pk)
        _tell(user)


def set_password(user: User, password: str) -> None:
    """The operator chose a new password for somebody."""
    with transaction.atomic():
        _replace_password(user, make_password(passwords.normalise(password)), short=passwords.is_short(password))
        emit(AccountPasswordChanged(), person=user.pk, changes=diff({"password": 1}, {"password": 2}))
        _tell(user)


def recover(user: User, password_hash: str, *, by_phone: bool = False, short: bool = False) -> None:
    """A new password after proof of the mailbox or the phone; raises Overtaken if the credentials changed since the proof was made.

    `short` as in `passwords.is_short`. The proof also verifies that address. Whatever an earlier squatter set up ends here (PW-18):
    password, sessions, refresh families.
    """
    with transaction.atomic():
        _replace_password(user, password_hash, short=short)
        emit(AccountRecovered(), person=user.pk)
        mark_verified(user, phone=by_phone)
        _tell(user)


def forget_password(user: User) -> None:
    """Nobody can sign in with the present password any more; sessions, links and refresh families end. Raises Overtaken."""
    _replace_password(user, make_password(None))


def disable(user: User, *, by: UUID | None = None) -> None:
    """The account gets nothing from now on: no sign-in, no token; what is open ends."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False, credential_epoch=F("credential_epoch") + 1):
            user.refresh_from_db()
            emit(AccountDisabled(), person=user.pk, by=by, changes=diff({"active": True}, {"active": False}))


def enable(user: User, *, by: UUID | None = None) -> None:
    """Undo `disable`. Sessions and tokens from before stay ended."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True, erase_at=None):
            user.refresh_from_db()
            emit(AccountEnabled(), person=user.pk, by=by, changes=diff({"active": False}, {"active": True}))


def sign_out_everywhere(user: User, *, by: UUID | None = None) -> None:
    """End every session and refresh family of the account."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(credential_epoch=F("credential_epoch") + 1)
        user.refresh_from_db(fields=["credential_epoch"])
        changes = diff({"sign_in_epoch": user.credential_epoch - 1}, {"sign_in_epoch": user.credential_epoch})
        emit(AccountSignedOutEverywhere(), person=user.pk, by=by, changes=changes)


def sign_out_everybody() -> int:
    """End every session and refresh family of every account; returns how many accounts there are.

    For the hour after a backup was restored (hostile case KT-11): whoever was signed out, disabled or took a password back since the
    backup was made must not be signed in again by it.
    """
    with transaction.atomic():
        people = User.objects.update(credential_epoch=F("credential_epoch") + 1)
        emit(AccountAllSignedOut(people=people))
    return people


def _replace_password(user: User, password_hash: str, *, short: bool = False) -> None:
    # The one claim primitive: of any number of parallel changes that start from the same epoch, one wins (EM-02).
    claimed = User.objects.filter(pk=user.pk, credential_epoch=user.credential_epoch).update(
        password=password_hash, short_password=short, credential_epoch=F("credential_epoch") + 1
    )
    if not claimed:
        raise Overtaken
    user.password, user.short_password, user.credential_epoch = password_hash, short, user.credential_epoch + 1
    lockout.clear(lockout.person_key(user.pk))


def _tell(user: User) -> None:
    mail.tell(
        user,
        template="password_changed",
        text=_("The password of your account at %(brand)s was changed.") % {"brand": settings.IDP.brand_name},
    )
