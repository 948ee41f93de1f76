"""Scopes, claims and resources in plain words, with the person's own values beside them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from idp.accounts.claims import standard_claims
from idp.accounts.models import User

from .agreement import Wish


def describe(user: User, wish: Wish) -> list[dict[str, str]]:
    """One entry per thing that would be shared: icon, title, detail (the person's own value where there is one)."""
    own = standard_claims(user)
    items = [_scope(scope, own) for scope in _in_order(wish.scopes)]
    items += [{"icon": "person", "title": _claim_title(name), "detail": str(own.get(name, ""))} for name in sorted(wish.claims)]
    items += [
        {"icon": "api", "title": _("Use a service in your name"), "detail": urlsplit(resource).netloc or resource}
        for resource in sorted(wish.resources)
    ]
    return items


def _in_order(scopes: frozenset[str]) -> list[str]:
    known = ["openid", "profile", "email", "phone", "address", "offline_access"]
    shown = [scope for scope in known if scope in scopes and (scope != "openid" or len(scopes) == 1)]
    return shown + sorted(scopes.difference(known))


def _scope(scope: str, own: dict[str, Any]) -> dict[str, str]:
    if scope == "openid":
        return {"icon": "shield", "title": _("That it is you"), "detail": _("A number that stands for your account")}
    if scope == "profile":
        return {"icon": "person", "title": _("Your name and profile"), "detail": str(own.get("name", ""))}
    if scope == "email":
        address = str(own.get("email", ""))
        detail = _("%(address)s, verified") % {"address": address} if own.get("email_verified") else address
        return {"icon": "mail", "title": _("Your email address"), "detail": detail}
    if scope == "phone":
        return {"icon": "phone", "title": _("Your phone number"), "detail": str(own.get("phone_number", ""))}
    if scope == "address":
        address_claim = own.get("address")
        formatted = address_claim.get("formatted", "") if isinstance(address_claim, dict) else ""
        return {"icon": "home", "title": _("Your postal address"), "detail": str(formatted).replace("\n", ", ")}
    if scope == "offline_access":
        return {"icon": "clock", "title": _("Stay connected while you are away"), "detail": _("until you remove it in your account")}
    return {"icon": "key", "title": scope, "detail": _("A permission that the app has asked for by this name")}


def _claim_title(name: str) -> str:
    return _("Your %(claim)s") % {"claim": name.replace("_", " ")}
