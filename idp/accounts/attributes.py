"""What is known about a person: every attribute, declared once. Pages, claims, scopes and discovery follow this table.

Each one is a JSON Schema (draft 2020-12) with what the schema does not say: label, who reads and writes it, claim and scope, whether it is
sealed at rest, whether its change is told. A deployment adds, changes or removes attributes by a file (`IDP_PROFILE_SCHEMA_FILE`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise, lazystr
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

Reader = Literal["person", "staff", "apps"]
Writer = Literal["person", "staff", "operator"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
SCOPE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}", re.ASCII)
MOST_ATTRIBUTES, LARGEST_FILE = 100, 256 * 1024
# Claims that the protocol or the account itself makes: no attribute can speak for them (OIDC Core 2, 5.1; RFC 7519 4.1; RFC 9068 2.2).
TAKEN = frozenset(
    [
        "sub",
        "iss",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "nonce",
        "sid",
        "at_hash",
        "c_hash",
        "s_hash",
        "cnf",
        "scope",
        "client_id",
        "fid",
        "act",
        "may_act",
        "events",
        "email",
        "email_verified",
        "updated_at",
        "groups",
        "roles",
        "entitlements",
    ]
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that can be known about a person; `claim` is how apps see it, when a grant holds `scope`."""

    name: str
    schema: Mapping[str, Any]
    label: str | Promise
    read: frozenset[Reader] = frozenset({"person", "staff", "apps"})
    write: frozenset[Writer] = frozenset({"person", "staff", "operator"})
    claim: str = ""
    scope: str = "profile"
    encrypted: bool = False
    event: bool = True

    @property
    def told(self) -> bool:
        """Whether apps can see it at all."""
        return bool(self.claim) and "apps" in self.read


def attributes() -> Mapping[str, Attribute]:
    """All attributes of this deployment, by name, in the order in which pages show them."""
    return _attributes(settings.IDP.profile_schema_file)


@cache
def _attributes(file: Path | None) -> Mapping[str, Attribute]:
    return {attribute.name: attribute for attribute in _SHIPPED} if file is None else load(file)


def scope_claims() -> dict[str, tuple[str, ...]]:
    """Which scope opens which claims (OIDC Core 5.4); `email` and `updated_at` come from the account itself."""
    return _scope_claims(settings.IDP.profile_schema_file)


@cache
def _scope_claims(file: Path | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {"profile": [], "email": ["email", "email_verified"], "address": [], "phone": []}
    found["groups"] = ["groups"]  # ours: the names of the groups that a person is in (idp.access)
    for attribute in _attributes(file).values():
        if attribute.told:
            found.setdefault(attribute.scope, []).append(attribute.claim)
    found["profile"].append("updated_at")
    return {scope: tuple(claims) for scope, claims in found.items() if claims}


def load(file: Path) -> dict[str, Attribute]:
    """The shipped attributes with what `file` adds, changes or (by null) removes. Raises ImproperlyConfigured, which names the place.

    The file is `{"attributes": {name: {"schema": …, "label": text or {language: text}, "read", "write", "claim", "scope", "encrypted",
    "event"} | null}}`; a member that is left out keeps its default, for a shipped attribute what was shipped.
    """
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ImproperlyConfigured(f"IDP_PROFILE_SCHEMA_FILE is larger than {LARGEST_FILE // 1024} KB.")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImproperlyConfigured(f"IDP_PROFILE_SCHEMA_FILE cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ImproperlyConfigured("IDP_PROFILE_SCHEMA_FILE is not JSON in UTF-8.") from None
    declared = document.get("attributes") if isinstance(document, dict) and set(document) == {"attributes"} else None
    if not isinstance(declared, dict):
        raise _wrong("", 'is not an object with the one member "attributes"')
    found = {attribute.name: attribute for attribute in _SHIPPED}
    for name, members in declared.items():
        if not NAME.fullmatch(name):
            raise _wrong("", "has an attribute whose name is not lower case letters, digits and _ (at most 40)")
        if members is None:
            found.pop(name, None)
        else:
            found[name] = _declared(name, members, found.get(name))
    if len(found) > MOST_ATTRIBUTES:
        raise _wrong("", f"makes more than {MOST_ATTRIBUTES} attributes")
    claims = [attribute.claim for attribute in found.values() if attribute.told]
    if len(claims) != len(set(claims)):
        raise _wrong("", "gives two attributes the same claim")
    return found


def _declared(name: str, members: Any, shipped: Attribute | None) -> Attribute:
    if not isinstance(members, dict) or not set(members) <= {"schema", "label", "read", "write", "claim", "scope", "encrypted", "event"}:
        raise _wrong(name, "is not an object of schema, label, read, write, claim, scope, encrypted and event")
    if shipped is None and not {"schema", "label"} <= set(members):
        raise _wrong(name, "needs a schema and a label")
    base = shipped or Attribute(name, {}, "", claim=name)
    claim, scope = members.get("claim", base.claim) or "", members.get("scope", base.scope)
    if not isinstance(claim, str) or (claim and not NAME.fullmatch(claim)) or claim in TAKEN:
        raise _wrong(name, "has a claim that is malformed or belongs to the protocol")
    if not isinstance(scope, str) or not SCOPE.fullmatch(scope) or scope in ("openid", "offline_access", "email", "groups"):
        raise _wrong(name, "has a scope that is malformed or belongs to the protocol")
    for flag in ("encrypted", "event"):
        if not isinstance(members.get(flag, False), bool):
            raise _wrong(name, f"needs true or false as {flag}")
    return Attribute(
        name=name,
        schema=_schema(name, members["schema"]) if "schema" in members else base.schema,
        label=_label(name, members["label"]) if "label" in members else base.label,
        read=_roles(name, "read", members, base.read, get_args(Reader)),
        write=_roles(name, "write", members, base.write, get_args(Writer)),
        claim=claim,
        scope=scope,
        encrypted=members.get("encrypted", base.encrypted),
        event=members.get("event", base.event),
    )


def _schema(name: str, schema: Any) -> Mapping[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        raise _wrong(name, "has a schema that is not JSON Schema draft 2020-12") from None
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str):
        raise _wrong(name, "needs a schema with one type")
    # Nothing is ever fetched to understand a schema, and no part of it is reached by another way than its own place.
    if any(word in part for part in _parts(schema) for word in ("$ref", "$dynamicRef", "$id", "$anchor", "$schema")):
        raise _wrong(name, "has a schema that refers to another place")
    return schema


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(part)


def _label(name: str, label: Any) -> str | Promise:
    if isinstance(label, str) and label.strip():
        return label
    if isinstance(label, dict) and isinstance(label.get("en"), str) and all(isinstance(text, str) for text in label.values()):
        return lazystr(_Spoken(label))
    raise _wrong(name, "needs a label: a text, or an object of language to text with at least en")


class _Spoken:
    """A label that the deployment gave in several languages."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def __str__(self) -> str:
        language = get_language() or "en"
        return self.texts.get(language) or self.texts.get(language.partition("-")[0]) or self.texts["en"]


def _roles(name: str, what: str, members: Mapping[str, Any], base: frozenset[Any], known: tuple[str, ...]) -> frozenset[Any]:
    roles = members.get(what)
    if roles is None:
        return base
    if not isinstance(roles, list) or not all(isinstance(role, str) and role in known for role in roles):
        raise _wrong(name, f"has a list {what} of other words than {', '.join(known)}")
    return frozenset(roles)


def _wrong(name: str, reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"IDP_PROFILE_SCHEMA_FILE{f', attribute {name},' if name else ''} {reason}.")


LINE = {"type": "string", "maxLength": 1024}
URL = {**LINE, "format": "web-address"}
LINES = {**LINE, "format": "lines"}  # formatted and street_address may have several lines (Core 5.1.1)
SHORT_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 60}, "maxItems": 50, "uniqueItems": True}
PROVED: frozenset[Writer] = frozenset({"staff", "operator"})  # what a person changes only by proving it


def _standard(name: str, schema: Mapping[str, Any], label: str | Promise, **more: Any) -> Attribute:
    return Attribute(name, schema, label, claim=name, **more)


def _shaped(pattern: str, shape: str) -> Mapping[str, Any]:
    # `examples` is what an error shows: never what was typed.
    return {**LINE, "pattern": f"^(?:{pattern})\\Z", "examples": [shape]}


# OIDC Core 5.1, then what the product adds. Order is that of the profile page.
_SHIPPED: tuple[Attribute, ...] = (
    _standard("name", LINE, _("Full name")),
    _standard("given_name", LINE, _("First name")),
    _standard("middle_name", LINE, _("Middle name")),
    _standard("family_name", LINE, _("Last name")),
    _standard("nickname", LINE, _("Nickname")),
    _standard("preferred_username", LINE, _("User name")),
    _standard("bio", {**LINES, "maxLength": 500}, _("About you")),
    _standard("picture", URL, _("Address of your picture")),
    _standard("profile", URL, _("Address of your profile page")),
    _standard("website", URL, _("Website")),
    _standard("gender", LINE, _("Gender")),
    _standard("birthdate", _shaped(r"([0-9]{4}|0000)(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?", "1990-12-31"), _("Date of birth")),
    _standard("locale", _shaped(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*", "en-US"), _("Language")),
    _standard("zoneinfo", _shaped(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", "Europe/Paris"), _("Time zone")),
    _standard(
        "phone_number",
        _shaped(r"[+0-9(][0-9 ().-]{3,30}(;ext=[0-9]{1,10})?", "+1 604 555 1234"),
        _("Phone number"),
        scope="phone",
        write=PROVED,
    ),
    _standard("phone_number_verified", {"type": "boolean"}, _("Phone number verified"), scope="phone", write=PROVED),
    _standard(
        "address",
        {
            "type": "object",
            "properties": {
                "formatted": LINES,
                "street_address": LINES,
                "postal_code": LINE,
                "locality": LINE,
                "region": LINE,
                "country": LINE,
            },
            "additionalProperties": False,
        },
        _("Postal address"),
        scope="address",
    ),
    _standard("allergies", SHORT_TEXTS, _("Allergies"), scope="allergies", encrypted=True),
    _standard(
        "preferences",
        {"type": "object", "properties": {"cuisines": SHORT_TEXTS, "diet": {**LINE, "maxLength": 60}}, "additionalProperties": LINE},
        _("Preferences"),
        scope="preferences",
    ),
)
# What the parts of the shipped objects are called on pages; a part that is not here goes by its own name.
PART_LABELS: Mapping[str, str | Promise] = {
    "formatted": _("Whole address"),
    "street_address": _("Street and number"),
    "postal_code": _("Postal code"),
    "locality": _("Town"),
    "region": _("Region"),
    "country": _("Country"),
    "cuisines": _("Favourite cuisines"),
    "diet": _("Diet"),
}
