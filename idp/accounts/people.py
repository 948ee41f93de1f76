"""What is done to an account: create, verify, new password, disable, enable. Each with its event, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F

from idp.events import emit
from idp.events.catalogue import (
    AccountAllSignedOut,
    AccountCreated,
    AccountDisabled,
    AccountEmailChanged,
    AccountEmailVerified,
    AccountEnabled,
    AccountPasswordChanged,
    AccountRecovered,
    AccountSignedOutEverywhere,
    AccountVerified,
)
from idp.events.changes import diff
from idp.events.models import EventRecord
from idp.kernel import clock

from . import lockout, mail, passwords
from .claims import sealed
from .emails import canonical_email
from .models import AddressProof, User

if TYPE_CHECKING:
    from uuid import UUID


class EmailTaken(ValueError):
    """Another account has this address."""


class Overtaken(RuntimeError):
    """The credentials changed meanwhile: what was proved is about the former ones."""


def create(
    *,
    email: str,
    method: Literal["signup", "command", "staff", "federation"],
    password: str | None = None,
    password_hash: str = "",
    verified: bool = False,
    claims: dict[str, Any] | None = None,
) -> User:
    """Save a new person. Raises ValidationError for a bad address, EmailTaken when somebody has it.

    `claims` are as `claims.validated` gives them. The policy for passwords is the caller's to apply; a `password_hash` is stored as it is.
    """
    user = User(email=canonical_email(email))
    user.claims = sealed(user.pk, claims or {})
    if password_hash:
        user.password = password_hash
    else:
        user.set_password(password)  # None: a password that can never match (PW-16)
    with transaction.atomic():
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError:
            raise EmailTaken from None
        by_staff = diff({}, {"email": user.email, **(claims or {})}, personal=None) if method != "signup" else None
        emit(AccountCreated(method=method), person=user.pk, changes=by_staff)
        if verified:
            mark_verified(user)
        else:
            record_address(user)
    return user


def mark_verified(user: User) -> None:
    """The person reads mail at `user.email`."""
    with transaction.atomic():
        moment = clock.now()
        if User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=moment, updated_at=moment):
            user.email_verified_at = user.updated_at = moment
            emit(AccountEmailVerified(), person=user.pk)
            if not EventRecord.objects.filter(person=user.pk, name=AccountVerified.name).exists():
                emit(AccountVerified(), person=user.pk)
        record_address(user)


def supersede_unverified(address: str) -> User | None:
    """Somebody proved in another way (an outside login, say) that this canonical `address` is theirs, which an account has unverified.

    That account is returned, verified, with no password and every session and refresh family ended; None when nobody has it unverified.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().filter(email=address, email_verified_at=None, is_active=True, is_staff=False).first()
        if user is None:
            return None
        AddressProof.objects.filter(user=user).delete()
        _replace_password(user, make_password(None))
        mark_verified(user)
        return user


def release_address(user: User) -> None:
    """The account loses an e-mail address that it never proved to be its own: the owner has come. It keeps everything else."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, email=user.email, email_verified_at=None).update(email=None, updated_at=clock.now()):
            AddressProof.objects.filter(user=user, email=user.email).delete()
            emit(AccountEmailChanged(), person=user.pk)


def record_address(user: User) -> None:
    """Keep allauth's list of addresses in step with the account (its social sign-in and address change read that)."""
    from .allauth import record_address as record

    record(user)


def change_password(user: User, password: str) -> None:
    """The person, signed in and having proved the current password, chose a new one. Ends all their sessions and refresh families.

    Raises Overtaken if the credentials changed since `user` was read.
    """
    with transaction.atomic():
        _replace_password(user, make_password(passwords.normalise(password)))
        emit(AccountPasswordChanged(), person=user.pk)
        _tell(user)


def set_password(user: User, password: str) -> None:
    """The operator chose a new password for somebody."""
    with transaction.atomic():
        _replace_password(user, make_password(passwords.normalise(password)))
        emit(AccountPasswordChanged(), person=user.pk, changes=diff({"password": 1}, {"password": 2}))
        _tell(user)


def recover(user: User, password_hash: str) -> None:
    """A new password after proof of the mailbox; raises Overtaken if the credentials changed since the proof was made.

    The proof also verifies the address. Whatever an earlier squatter set up ends here (PW-18): password, sessions, refresh families.
    """
    with transaction.atomic():
        _replace_password(user, password_hash)
        emit(AccountRecovered(), person=user.pk)
        mark_verified(user)
        _tell(user)


def disable(user: User, *, by: UUID | None = None) -> None:
    """The account gets nothing from now on: no sign-in, no token; what is open ends."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False, credential_epoch=F("credential_epoch") + 1):
            user.refresh_from_db()
            emit(AccountDisabled(), person=user.pk, by=by, changes=diff({"active": True}, {"active": False}))


def enable(user: User, *, by: UUID | None = None) -> None:
    """Undo `disable`. Sessions and tokens from before stay ended."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            user.refresh_from_db()
            emit(AccountEnabled(), person=user.pk, by=by, changes=diff({"active": False}, {"active": True}))


def sign_out_everywhere(user: User, *, by: UUID | None = None) -> None:
    """End every session and refresh family of the account."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(credential_epoch=F("credential_epoch") + 1)
        user.refresh_from_db(fields=["credential_epoch"])
        emit(AccountSignedOutEverywhere(), person=user.pk, by=by)


def sign_out_everybody() -> int:
    """End every session and refresh family of every account; returns how many accounts there are.

    For the hour after a backup was restored (hostile case KT-11): whoever was signed out, disabled or took a password back since the
    backup was made must not be signed in again by it.
    """
    with transaction.atomic():
        people = User.objects.update(credential_epoch=F("credential_epoch") + 1)
        emit(AccountAllSignedOut(people=people))
    return people


def _replace_password(user: User, password_hash: str) -> None:
    # The one claim primitive: of any number of parallel changes that start from the same epoch, one wins (EM-02).
    claimed = User.objects.filter(pk=user.pk, credential_epoch=user.credential_epoch).update(
        password=password_hash, credential_epoch=F("credential_epoch") + 1
    )
    if not claimed:
        raise Overtaken
    user.password, user.credential_epoch = password_hash, user.credential_epoch + 1
    lockout.clear(lockout.person_key(user.pk))


def _tell(user: User) -> None:
    if user.email and user.email_verified:
        mail.send(to=user.email, template="password_changed")
