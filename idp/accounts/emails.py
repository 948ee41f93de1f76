"""The one canonical form of an e-mail address: what is stored, compared, shown and mailed to.

The rule (hostile case EM-13, Django CVE-2019-19844): NFKC first, so full-width and compatibility letters become what they look like; then
the local part must be plain ASCII without quotes and is lower-cased, so no two spellings meet (dotless i, sharp s, Kelvin sign) and
mail never goes to a look-alike; the domain becomes its IDNA 2008 A-label, so a Cyrillic look-alike is seen as `xn--…`.
"""

from __future__ import annotations

import unicodedata

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 254  # RFC 5321 4.5.3.1.3, less the angle brackets

_ascii_shape = EmailValidator()


def canonical_email(text: str) -> str:
    """The canonical form of `text`. Raises ValidationError, without repeating the input, when it is no address we can mail to."""
    if not isinstance(text, str) or len(text) > 2 * MAX_LENGTH:
        raise _invalid()
    local, at, domain = unicodedata.normalize("NFKC", text).strip().rpartition("@")
    if not at or not local.isascii() or '"' in local:
        raise _invalid()
    try:
        # UTS 46 maps upper case and the ideographic full stop; IDNA 2008 then refuses what no registry may sell.
        domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii").lower()
        if domain.startswith("xn--") or ".xn--" in domain:
            idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        raise _invalid() from None
    address = f"{local.lower()}@{domain}"
    if len(address) > MAX_LENGTH or "[" in domain:
        raise _invalid()
    try:
        _ascii_shape(address)
    except ValidationError:
        raise _invalid() from None
    return address


def lookup_key(text: str) -> str:
    """A spelling-independent key for anything typed as an identifier, also when it is no address: what failure counters hang on."""
    try:
        return canonical_email(text)
    except ValidationError:
        return unicodedata.normalize("NFKC", text[: 2 * MAX_LENGTH]).strip().casefold()


def _invalid() -> ValidationError:
    return ValidationError(_("Enter an email address, for example name@example.org."), code="invalid_email")
