"""The one canonical form of a phone number: E.164, what is stored, compared and sent to; and the form that people read.

Only mobile numbers: what answers a text message, and not what costs the sender extra (toll fraud). ITU-T E.164.
"""

from __future__ import annotations

import unicodedata

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 16  # the plus sign and at most fifteen digits
LONGEST_INPUT = 40
_MOBILE = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}


def canonical_phone(text: str) -> str:
    """`text` as E.164. A number without country code belongs to `IDP_PHONE_REGION`, if that is set.

    Raises ValidationError, without repeating the input, when it is no mobile number.
    """
    if not isinstance(text, str) or len(text) > LONGEST_INPUT:
        raise _invalid()
    plain = unicodedata.normalize("NFKC", text).strip()
    # Letters are "vanity" digits to the library, and an extension is nothing to send a message to.
    if not plain or any(character.isalpha() or not character.isprintable() for character in plain) or ";" in plain:
        raise _invalid()
    try:
        number = phonenumbers.parse(plain, settings.IDP.phone_region or None)
    except phonenumbers.NumberParseException:
        raise _invalid() from None
    if number.extension or not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _MOBILE:
        raise _invalid()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def readable(phone: str) -> str:
    """An E.164 number with spaces where people expect them."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(phone), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return phone


def looks_like_phone(text: str) -> bool:
    """Whether what was typed as an identifier is meant as a number: no @, and nothing but digits and what people put between them."""
    plain = unicodedata.normalize("NFKC", text[: 2 * LONGEST_INPUT]).strip()
    return "@" not in plain and any(character.isdigit() for character in plain) and not any(character.isalpha() for character in plain)


def _invalid() -> ValidationError:
    return ValidationError(_("Enter a mobile number with its country code, for example +49 151 23456789."), code="invalid_phone")
