"""What an app would get, in plain words and with the person's own values beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.accounts.attributes import attributes, scope_claims

# OpenID Connect Core 5.4: what `profile` stands for, in the order in which a person would read it.
_PROFILE = ("name", "nickname", "preferred_username", "birthdate", "gender", "website", "profile", "locale", "zoneinfo")
_STANDARD_SCOPES = {"openid", "profile", "email", "phone", "address", "groups", "offline_access"}
_CLAIM_WORDS = {
    "name": gettext_lazy("Your name"),
    "given_name": gettext_lazy("Your first name"),
    "family_name": gettext_lazy("Your last name"),
    "middle_name": gettext_lazy("Your middle name"),
    "nickname": gettext_lazy("Your nickname"),
    "preferred_username": gettext_lazy("Your user name"),
    "profile": gettext_lazy("The address of your profile page"),
    "picture": gettext_lazy("Your picture"),
    "website": gettext_lazy("Your website"),
    "gender": gettext_lazy("Your gender"),
    "birthdate": gettext_lazy("Your date of birth"),
    "zoneinfo": gettext_lazy("Your time zone"),
    "locale": gettext_lazy("Your language"),
    "updated_at": gettext_lazy("When your profile last changed"),
    "email": gettext_lazy("Your email address"),
    "email_verified": gettext_lazy("Whether your email address is verified"),
    "phone_number": gettext_lazy("Your phone number"),
    "phone_number_verified": gettext_lazy("Whether your phone number is verified"),
    "address": gettext_lazy("Your postal address"),
    "groups": gettext_lazy("The groups that you are in"),
}
# Parts of the name, and what a person does not read as data: the line of `profile` says them together.
_IN_PROFILE = {*_PROFILE, "given_name", "family_name", "middle_name", "picture", "updated_at"}
_CLAIM_ICONS = {"email": "mail", "email_verified": "mail", "phone_number": "phone", "phone_number_verified": "phone", "address": "home"}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the consent page: the name of an icon, a few words, and what the app would see."""

    icon: str
    title: str
    detail: str = ""


def items(
    *,
    scopes: Iterable[str],
    claims: Iterable[str] = (),
    resources: Iterable[str] = (),
    about: Mapping[str, object] | None = None,
) -> list[Item]:
    """Lines for what is asked: `scopes`, single `claims` and `resources`.

    `about` are the person's claims as `accounts.claims.standard_claims` gives them; without them the lines carry no values.
    """
    asked, values = set(scopes), about or {}
    lines: list[Item] = []
    if "profile" in asked:
        shown = [str(values[name]) for name in _PROFILE if values.get(name)]
        only_name = not any(values.get(name) for name in _PROFILE[1:])
        lines.append(Item("person", _("Your name and picture") if only_name else _("Your name and profile"), " · ".join(shown)))
        lines += [_claim(claim, values) for claim in scope_claims().get("profile", ()) if claim not in _IN_PROFILE and values.get(claim)]
    if "email" in asked:
        lines.append(Item("mail", _("Your email address"), _checked(values, "email", "email_verified")))
    if "phone" in asked:
        lines.append(Item("phone", _("Your phone number"), _checked(values, "phone_number", "phone_number_verified")))
    if "address" in asked:
        lines.append(Item("home", _("Your postal address"), _address(values.get("address"))))
    if "groups" in asked:
        lines.append(Item("person", _("The groups that you are in")))
    lines += [_claim(claim, values) for claim in sorted(set(claims) - {"sub"}) if not _covered(claim, asked)]
    for scope in sorted(asked - _STANDARD_SCOPES):
        # Scopes of our own attributes are shown as what they open; others are words of the app's services.
        opened = scope_claims().get(scope)
        lines += [_claim(claim, values) for claim in opened] if opened else [Item("app", _("Use “%(scope)s” for you") % {"scope": scope})]
    for resource in sorted(set(resources)):
        host = urlsplit(resource).hostname or resource
        lines += [Item("globe", _("Act for you at %(host)s") % {"host": host}, resource)]
    if "offline_access" in asked:
        lines.append(Item("clock", _("Stay connected while you are away"), _("until you remove it in your account")))
    if not lines:
        lines.append(Item("shield", _("That you have an account here"), _("and an identifier for it, nothing else")))
    return lines


def _covered(claim: str, scopes: set[str]) -> bool:
    """Whether one of the scopes brings this claim anyway (OpenID Connect Core 5.4)."""
    return any(claim in scope_claims().get(scope, ()) for scope in scopes)


def _claim(claim: str, values: Mapping[str, object]) -> Item:
    declared = next((attribute for attribute in attributes().values() if attribute.claim == claim), None)
    if claim in _CLAIM_WORDS:
        words = str(_CLAIM_WORDS[claim])
    else:
        words = str(declared.label) if declared else _("“%(claim)s” from your profile") % {"claim": claim}
    value = values.get(claim)
    return Item(_CLAIM_ICONS.get(claim, "person"), words, _address(value) if claim == "address" else in_words(value))


def in_words(value: object) -> str:
    """A value as a person reads it: the items of a list, the members of an object, in one line."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping):
        return " · ".join(part for member in value.values() if (part := in_words(member)))
    if isinstance(value, list | tuple):
        return ", ".join(part for item in value if (part := in_words(item)))
    return "" if value is None else ", ".join(str(value).splitlines())


def _checked(values: Mapping[str, object], name: str, verified: str) -> str:
    value = values.get(name)
    if not value:
        return ""
    return (_("%(value)s, verified") if values.get(verified) else _("%(value)s, not verified")) % {"value": value}


def _address(value: object) -> str:
    if not isinstance(value, Mapping):
        return ""
    parts = value.get("formatted") or ", ".join(
        str(value[part]) for part in ("street_address", "postal_code", "locality", "region", "country") if value.get(part)
    )
    return ", ".join(str(parts).splitlines())
