"""OIDC standard claims of a person: which exist, of which type, and what is told (OpenID Connect Core 5.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .models import User

LONGEST = 1024


class ClaimError(ValueError):
    """A claim that is not one, or not of its type. The text names the claim and the rule, never the value."""


def standard_claims(user: User) -> dict[str, object]:
    """Every OIDC standard claim of `user` that has a value, `sub` excluded, typed as Core 5.1 says."""
    told: dict[str, object] = {
        name: user.claims[name] for name in STANDARD if name != "updated_at" and user.claims.get(name) not in (None, "")
    }
    if user.email:
        told["email"] = user.email
        told["email_verified"] = user.email_verified
    if user.phone:
        told["phone_number"], told["phone_number_verified"] = user.phone, user.phone_verified
    if "phone_number" not in told:
        told.pop("phone_number_verified", None)
    told["updated_at"] = int(user.updated_at.timestamp())
    return told


def validated(claims: object) -> dict[str, Any]:
    """`claims` as they may be stored. Raises ClaimError for unknown names, wrong types and what only the provider may say."""
    if not isinstance(claims, Mapping):
        raise ClaimError("Claims are a JSON object.")
    accepted: dict[str, Any] = {}
    for name, value in claims.items():
        if name in RESERVED:
            raise ClaimError(f"{name}: {RESERVED[name]}")
        check = STANDARD.get(name)
        if check is None:
            raise ClaimError(
                "There is a claim that OpenID Connect Core 5.1 does not define; the known ones are: " + ", ".join(STANDARD) + "."
            )
        if value is None or value == "":
            continue
        reason = check(value)
        if reason:
            raise ClaimError(f"{name} {reason}.")
        accepted[name] = value
    # Core 5.1: a verified number is in E.164 form, which begins with the plus sign; otherwise that form is a recommendation.
    if accepted.get("phone_number_verified") and not accepted.get("phone_number", "").startswith("+"):
        raise ClaimError("phone_number_verified needs a phone_number that begins with + and the country code.")
    return accepted


Check = Callable[[Any], str]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return "must be a string"
    if len(value) > LONGEST:
        return f"must have at most {LONGEST} characters"
    if any(character < " " or character == "\x7f" for character in value):
        return "must not hold control characters"
    return ""


def _boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false, without quotes"


def _url(value: Any) -> str:
    reason = _text(value)
    if reason:
        return reason
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    return "" if good else "must be an http or https address"


def _pattern(pattern: str, shape: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> str:
        return _text(value) or ("" if compiled.fullmatch(value) else f"must look like {shape}")

    return check


def _zone(value: Any) -> str:
    return _text(value) or ("" if re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", value) else "must look like Europe/Paris")


ADDRESS_MEMBERS = ("formatted", "street_address", "locality", "region", "postal_code", "country")  # Core 5.1.1


def _address(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a JSON object (OpenID Connect Core 5.1.1)"
    for name, member in value.items():
        if name not in ADDRESS_MEMBERS:
            return "may only have the members " + ", ".join(ADDRESS_MEMBERS)
        # formatted and street_address may have several lines (Core 5.1.1).
        reason = _text(member.replace("\r\n", " ").replace("\n", " ") if isinstance(member, str) else member)
        if reason:
            return f"has a member {name} that {reason}"
    return ""


def _moment(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "" if whole and 0 <= value <= 253_402_300_799 else "must be a number of seconds since 1970"


# Each standard claim a person or operator may set, with its type rule: a text that says what is wrong, or nothing.
STANDARD: dict[str, Check] = {
    "name": _text,
    "given_name": _text,
    "family_name": _text,
    "middle_name": _text,
    "nickname": _text,
    "preferred_username": _text,
    "profile": _url,
    "picture": _url,
    "website": _url,
    "gender": _text,
    "birthdate": _pattern(r"(\d{4}|0000)(-\d{2}-\d{2})?", "1990-12-31, 0000-12-31 or 1990"),
    "zoneinfo": _zone,
    "locale": _pattern(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*", "en-US"),
    "phone_number": _pattern(r"[+0-9(][0-9 ().-]{3,30}(;ext=[0-9]{1,10})?", "+1 604 555 1234"),
    "phone_number_verified": _boolean,
    "address": _address,
    "updated_at": _moment,
}
RESERVED = {
    "sub": "is made by the provider and never changes.",
    "email": "is the account's own address, not one of its claims.",
    "email_verified": "is set by proving the address, or by --verified.",
}
