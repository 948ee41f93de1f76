"""A forgotten password: a code or a link, one hour, one use, which tell nobody whether there is an account.

The token of the link, or that the right code gives, is bound to person, addresses, password and credential epoch (EM-07) and is spent by
changing the epoch: of any number of parallel uses one wins (EM-02), and every other link, session and refresh family of the person ends with it (EM-08).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from . import passwords, people
from .claims import stored
from .models import User

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

LONGEST_TOKEN = 200


class _Tokens(PasswordResetTokenGenerator):
    def __init__(self, *, by_phone: bool) -> None:
        super().__init__()
        self.by_phone = by_phone
        self.key_salt = f"idp.accounts.recovery{'.phone' if by_phone else ''}"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)
        return f"{user.pk}:{user.email}:{user.phone}:{user.password}:{user.credential_epoch}:{timestamp}"


_BY_MAIL, _BY_PHONE = _Tokens(by_phone=False), _Tokens(by_phone=True)


def request_link(address: str) -> None:
    """Send a code and a link to the person with this address, or a mail that says that no account uses it. Raises ValidationError."""
    from . import proofs

    proofs.begin_recovery(address)


def token_for(user: User, *, by_phone: bool = False) -> str:
    """A token that gives `user` a new password, once and within an hour; it knows what was proved for it, the mailbox or the phone.

    It belongs into a mail, or into the browser that proved a code.
    """
    return f"{user.pk.hex}.{(_BY_PHONE if by_phone else _BY_MAIL).make_token(user)}"


def person_of(token: str) -> User | None:
    """Whom this token may give a new password now. Changes nothing."""
    person, _, rest = token[:LONGEST_TOKEN].partition(".")
    try:
        user = User.objects.filter(pk=UUID(hex=person), is_active=True).first()
    except ValueError:
        return None
    return user if user is not None and any(kind.check_token(user, rest) for kind in (_BY_MAIL, _BY_PHONE)) else None


def complete(token: str, password: str, *, fewest: int = passwords.MIN_LENGTH) -> User:
    """Spend the token for a new password of at least `fewest` characters. Raises people.Overtaken when it is not good (any more), ValidationError for a weak password."""
    user = person_of(token)
    if user is None:
        raise people.Overtaken
    by_phone = _BY_PHONE.check_token(user, token.partition(".")[2])
    passwords.validate(password, context=passwords.context_words(email=user.email, names=names(user)), fewest=fewest)
    people.recover(user, make_password(passwords.normalise(password)), by_phone=by_phone, short=passwords.is_short(password))
    return user


def names(user: User) -> tuple[str, ...]:
    """Words of the person's profile that do not belong into a password."""
    known = stored(user)
    values = (known.get(name) for name in ("name", "given_name", "family_name", "nickname", "preferred_username"))
    return tuple(value for value in values if isinstance(value, str))
