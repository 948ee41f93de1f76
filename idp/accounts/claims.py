"""What is told about a person, and what may be stored: the declared attributes, judged by their schemas (OpenID Connect Core 5.1)."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from idp.kernel import sealing

from .attributes import Attribute, Writer, attributes

if TYPE_CHECKING:
    from uuid import UUID

    from .models import User

# Of one person, as compact JSON in UTF-8; how deep containers stand in one another, the profile itself included; names of members in all.
MOST_BYTES, MOST_DEPTH, MOST_KEYS = 10 * 1024, 4, 100
LARGEST_NUMBER = 2**53 - 1  # beyond, JSON of other languages loses digits (RFC 8259 6)
SEALED = "$sealed"
LATEST = 253_402_300_799  # the last second of the year 9999
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one value is refused: where it stands (JSON Pointer, RFC 6901) and a sentence that never repeats it."""

    path: str
    reason: str


class ClaimError(ValueError):
    """Nothing was stored, because of `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(f"{problem.path.lstrip('/') or 'profile'}: {problem.reason}" for problem in self.problems))


def standard_claims(user: User) -> dict[str, object]:
    """Every claim of `user` that has a value and that apps may see, `sub` excluded, typed as Core 5.1 says."""
    told: dict[str, object] = {}
    for name, attribute in attributes().items():
        if attribute.told and (value := _opened(user, name)) not in (None, "", [], {}):
            told[attribute.claim] = value
    if user.email:
        told["email"] = user.email
        told["email_verified"] = user.email_verified
    if user.phone:
        told["phone_number"], told["phone_number_verified"] = user.phone, user.phone_verified
    if "phone_number" not in told:
        told.pop("phone_number_verified", None)
    told["updated_at"] = int(user.updated_at.timestamp())
    return told


def stored(user: User) -> dict[str, Any]:
    """All attributes of `user` that have a value, by name, opened. For the person and for us: apps get `standard_claims`."""
    return {name: value for name in attributes() if (value := _opened(user, name)) is not None}


def sealed(user_id: UUID, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as they stand in the database: sealed where the attribute wants it, each for this person and attribute only."""
    declared = attributes()
    return {
        name: {SEALED: sealing.seal(json.dumps(value).encode(), purpose=_purpose(user_id, name))} if declared[name].encrypted else value
        for name, value in values.items()
    }


def _opened(user: User, name: str) -> Any:
    value = user.claims.get(name)
    if not isinstance(value, dict) or value.keys() != {SEALED}:
        return value
    try:
        return json.loads(sealing.unseal(value[SEALED], purpose=_purpose(user.pk, name)))
    except sealing.SealBroken:
        log.exception("profile attribute %s cannot be opened", name)
        return None


def _purpose(user_id: UUID, name: str) -> str:
    return f"accounts.profile:{user_id}:{name}"


def validated(values: object, *, by: Writer = "operator") -> dict[str, Any]:
    """The whole profile as it may be stored, empty members left out, texts in NFC. Raises ClaimError with every reason.

    `by` is who writes. `updated_at` passes for imports: the caller takes it out again.
    """
    if not isinstance(values, Mapping):
        raise ClaimError([Problem("", _("This must be a JSON object."))])
    problems: list[Problem] = []
    accepted: dict[str, Any] = {}
    declared = attributes()
    for name, value in values.items():
        attribute = declared.get(name)
        if name == "updated_at" and by == "operator":
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LATEST:
                problems.append(Problem("/updated_at", _("This must be a number of seconds since 1970.")))
            accepted[name] = value
        elif attribute is None or by not in attribute.write:
            problems.append(Problem(_pointer([name]), _unknown(name, attribute)))
        elif value not in (None, "", [], {}):
            accepted[name] = normal = _normal(value)
            problems += _wrong_text([name], normal) or _wrong_value(attribute, normal)
    problems += _too_much(accepted)
    # Core 5.1: a verified number is in E.164 form, which begins with the plus sign; otherwise that form is a recommendation.
    if not problems and accepted.get("phone_number_verified") and not str(accepted.get("phone_number", "")).startswith("+"):
        problems.append(Problem("/phone_number", _("A verified number begins with + and the country code.")))
    if problems:
        raise ClaimError(problems)
    return accepted


def _unknown(name: object, attribute: Attribute | None) -> str:
    if attribute is not None:
        return _("This cannot be changed here.")
    if name in RESERVED:
        return _(RESERVED[str(name)])
    return _("There is no such attribute.")


RESERVED = {
    "sub": gettext_noop("The identifier is made by the provider and never changes."),
    "email": gettext_noop("The address of the account is not one of its attributes."),
    "email_verified": gettext_noop("An address is verified by proving it."),
}


def _normal(value: Any) -> Any:
    # NFC: what looks the same is stored the same. Names of members as well.
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    if isinstance(value, Mapping):
        return {unicodedata.normalize("NFC", str(name)): _normal(member) for name, member in value.items()}
    return value


def _walk(path: list[object], value: Any) -> Iterator[tuple[list[object], Any]]:
    yield path, value
    if len(path) > 2 * MOST_DEPTH:  # too deep anyway
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _walk([*path, key], part)


def _wrong_text(path: list[object], value: Any) -> list[Problem]:
    """What no schema says: control characters, marks that turn the direction of text, numbers without a meaning in JSON."""
    for place, part in _walk(path, value):
        names = [*part] if isinstance(part, dict) else []
        if any(_is_control(letter) for name in names for letter in name) or any(len(name) > 64 for name in names):
            return [Problem(_pointer(path), _("A name in this is too long or holds characters that cannot be shown."))]
        if isinstance(part, str) and any(_is_control(letter) and letter not in "\r\n" for letter in part):
            return [Problem(_pointer(place), _("Remove characters that cannot be shown."))]
        if isinstance(part, int | float) and not isinstance(part, bool) and not -LARGEST_NUMBER <= part <= LARGEST_NUMBER:
            return [Problem(_pointer(place), _("This number is too large."))]
    return []


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or "\u202a" <= letter <= "\u202e" or "\u2066" <= letter <= "\u2069"


def within_limits(values: Mapping[str, Any]) -> None:
    """Raises ClaimError when a whole profile is larger than a person may have."""
    if problems := _too_much(values):
        raise ClaimError(problems)


def _too_much(values: Mapping[str, Any]) -> list[Problem]:
    keys = depth = 0
    for path, part in _walk([], dict(values)):
        keys += len(part) if isinstance(part, dict) else 0
        depth = max(depth, len(path) + 1 if isinstance(part, dict | list) else 0)
    if keys > MOST_KEYS or depth > MOST_DEPTH:
        return [Problem("", _("There is too much in this profile, or too much in one another."))]
    if len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")) > MOST_BYTES:
        return [Problem("", _("There is more in this profile than can be kept."))]
    return []


def _wrong_value(attribute: Attribute, value: Any) -> list[Problem]:
    errors = _validator(attribute.name, id(attribute.schema)).iter_errors(value)
    return [Problem(_pointer([attribute.name, *error.absolute_path]), _reason(error)) for error in errors][:5]


_formats = FormatChecker(formats=())


@_formats.checks("web-address")
@_formats.checks("uri")
def _is_web_address(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.username and value.isprintable()
    except ValueError:
        return False


def _type(validator: Any, types: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """The keyword `type`; a text is one line, unless its format says `lines`."""
    yield from Draft202012Validator.VALIDATORS["type"](validator, types, instance, schema)
    if isinstance(instance, str) and schema.get("format") != "lines" and ("\n" in instance or "\r" in instance):
        yield ValidationError("one line", validator="one_line")


_Validator = extend(Draft202012Validator, {"type": _type})


@lru_cache(maxsize=256)
def _validator(name: str, _identity: int) -> Any:
    return _Validator(attributes()[name].schema, format_checker=_formats)


_TYPES = {
    "string": gettext_noop("This must be a text."),
    "boolean": gettext_noop("This must be true or false, without quotes."),
    "integer": gettext_noop("This must be a whole number."),
    "number": gettext_noop("This must be a number."),
    "array": gettext_noop("This must be a list."),
    "object": gettext_noop("This must be a JSON object."),
}
_LIMITS = {
    "maxLength": gettext_noop("Use at most %(limit)s characters."),
    "minLength": gettext_noop("Use at least %(limit)s characters."),
    "maximum": gettext_noop("This must be at most %(limit)s."),
    "minimum": gettext_noop("This must be at least %(limit)s."),
    "maxItems": gettext_noop("Give at most %(limit)s of them."),
    "minItems": gettext_noop("Give at least %(limit)s of them."),
    "maxProperties": gettext_noop("Give at most %(limit)s of them."),
}


def _reason(error: ValidationError) -> str:
    """One sentence of ours: the library's own would repeat the value."""
    keyword, limit = str(error.validator), error.validator_value
    if keyword == "type" and isinstance(limit, str) and limit in _TYPES:
        return _(_TYPES[limit])
    if keyword in _LIMITS:
        return _(_LIMITS[keyword]) % {"limit": limit}
    if keyword == "format":
        return _("Enter an address that begins with https:// or http://.")
    if keyword == "one_line":
        return _("Use one line.")
    if keyword == "uniqueItems":
        return _("Name each one once.")
    if keyword == "enum":
        return _("Choose one of: %(choices)s.") % {"choices": ", ".join(str(choice) for choice in limit)}
    if keyword == "additionalProperties":
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        return _("Only these members are known: %(members)s.") % {"members": ", ".join(known)}
    if keyword == "pattern" and isinstance(error.schema, dict) and error.schema.get("examples"):
        return _("Write it like this: %(example)s.") % {"example": error.schema["examples"][0]}
    return _("This is not of the form that is wanted.")


def _pointer(path: Iterable[object]) -> str:
    # RFC 6901 3. A name that a stranger chose is shown only if it is harmless.
    words = [str(part) if isinstance(part, int) or (len(str(part)) <= 64 and str(part).isprintable()) else "…" for part in path]
    return "".join("/" + word.replace("~", "~0").replace("/", "~1") for word in words)
