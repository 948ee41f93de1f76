"""What a person is known and reached by: an e-mail address or a mobile number, each in its one canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import emails, phones

if TYPE_CHECKING:
    from .models import User


def canonical_address(text: str) -> str:
    """The canonical form of an e-mail address or a phone number. Raises ValidationError, without repeating the input."""
    if isinstance(text, str) and phones.looks_like_phone(text):
        return phones.canonical_phone(text)
    return emails.canonical_email(text)


def is_phone(address: str) -> bool:
    """Whether a canonical address is a phone number."""
    return address.startswith("+") and "@" not in address


def readable(address: str) -> str:
    """A canonical address as people write it."""
    return phones.readable(address) if is_phone(address) else address


def lookup_key(text: str) -> str:
    """A spelling-independent key for anything typed as an identifier, also when it is none: what failure counters hang on (PW-13)."""
    if phones.looks_like_phone(text):
        try:
            return phones.canonical_phone(text)
        except ValidationError:
            pass
    return emails.lookup_key(text)


def owner_of(address: str) -> User | None:
    """The person with this canonical address; one statement whatever it is."""
    from .models import User

    people = User.objects.filter(phone=address) if is_phone(address) else User.objects.filter(email=address)
    return people.first()


def find(identifier: str) -> User | None:
    """The person with this e-mail address or phone number, in whatever spelling."""
    try:
        address = canonical_address(identifier)
    except ValidationError:
        # The same statement as for an address that could exist: time tells nothing.
        address = ""
    return owner_of(address)


def of(user: User) -> tuple[str, ...]:
    """Every verified address of `user`, the e-mail address first: where news about the account goes."""
    found = []
    if user.email and user.email_verified:
        found.append(user.email)
    if user.phone and user.phone_verified:
        found.append(user.phone)
    return tuple(found)


def invalid() -> ValidationError:
    """What a form says where both would do."""
    return ValidationError(_("Enter an email address or a mobile number with its country code."), code="invalid_address")
