"""A forgotten password: a link by mail, one hour, one use, which tells nobody whether there is an account.

The link's token is bound to person, address, password and credential epoch (EM-07) and is spent by changing the epoch: of any number of
parallel uses one wins (EM-02), and every other link, session and refresh family of the person ends with it (EM-08).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction

from idp.events import emit
from idp.events.catalogue import AccountRecoveryRequested
from idp.kernel import clock, limits

from . import mail, passwords, people
from .authentication import find
from .claims import stored
from .emails import canonical_email
from .models import User

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

# EM-12: three mails an hour to one address, whoever asks.
ADDRESS_LIMIT = 3
ADDRESS_SECONDS = 3600
LONGEST_TOKEN = 200


class _Tokens(PasswordResetTokenGenerator):
    key_salt = "idp.accounts.recovery"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)
        return f"{user.pk}:{user.email}:{user.password}:{user.credential_epoch}:{timestamp}"


_tokens = _Tokens()


def request_link(email: str) -> None:
    """Mail a link to the person with this address, or to the address that no account uses it. Nothing in the answer may differ.

    Raises ValidationError when `email` has not the form of an address.
    """
    address = canonical_email(email)
    if not limits.hit("accounts.recovery.address", address, limit=ADDRESS_LIMIT, seconds=ADDRESS_SECONDS).allowed:
        return
    user = find(address)
    expires_at = clock.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    with transaction.atomic():
        if user is None or not user.is_active:
            mail.send(to=address, template="recovery_unknown", expires_at=expires_at)
            return
        link = f"{settings.IDP.issuer}/password/reset?token={user.pk.hex}.{_tokens.make_token(user)}"
        emit(AccountRecoveryRequested(), person=user.pk)
        # EM-13: to the stored address, not to what was typed.
        mail.send(
            to=user.email or address, template="recovery", expires_at=expires_at, link=link, minutes=settings.PASSWORD_RESET_TIMEOUT // 60
        )


def person_of(token: str) -> User | None:
    """Whom this token may give a new password now. Changes nothing."""
    person, _, rest = token[:LONGEST_TOKEN].partition(".")
    try:
        user = User.objects.filter(pk=UUID(hex=person), is_active=True).first()
    except ValueError:
        return None
    return user if user is not None and _tokens.check_token(user, rest) else None


def complete(token: str, password: str) -> User:
    """Spend the token for a new password. Raises people.Overtaken when it is not good (any more), ValidationError for a weak password."""
    user = person_of(token)
    if user is None:
        raise people.Overtaken
    passwords.validate(password, context=passwords.context_words(email=user.email, names=names(user)))
    people.recover(user, make_password(passwords.normalise(password)))
    return user


def names(user: User) -> tuple[str, ...]:
    """Words of the person's profile that do not belong into a password."""
    known = stored(user)
    values = (known.get(name) for name in ("name", "given_name", "family_name", "nickname", "preferred_username"))
    return tuple(value for value in values if isinstance(value, str))
