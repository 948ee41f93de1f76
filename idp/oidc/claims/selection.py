"""Which claims of a person go where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from idp.access import groups
from idp.accounts.claims import standard_claims

from .requested import acceptable
from .scopes import opened_by, scope_of

if TYPE_CHECKING:
    from idp.accounts.models import User
    from idp.oidc.clients.policy import ClientPolicy


def within_reach(client: ClientPolicy, requested: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The claims parameter without what the client may never see: claims of scopes that it is not registered for (hostile case AR-14)."""
    return {target: {name: options for name, options in wanted.items() if _allowed(client, name)} for target, wanted in requested.items()}


def _allowed(client: ClientPolicy, name: str) -> bool:
    scope = scope_of(name)
    return name in ("sub", "acr", "auth_time") or (scope is not None and scope in client.scopes)


def needing_consent(requested: Mapping[str, dict[str, Any]], scopes: Iterable[str]) -> frozenset[str]:
    """Claims that are asked for one by one and that no granted scope opens anyway."""
    names = {name for wanted in requested.values() for name in wanted if scope_of(name)}
    return frozenset(names - opened_by(scopes))


def userinfo_claims(user: User, *, scopes: Iterable[str], requested: Mapping[str, Any]) -> dict[str, Any]:
    """What userinfo answers beside `sub`: claims of the granted scopes and those asked for by claims.userinfo."""
    return _values(user, opened_by(scopes), requested.get("userinfo") or {})


def id_token_claims(user: User, *, scopes: Iterable[str], requested: Mapping[str, Any]) -> dict[str, Any]:
    """Claims of the person for the ID token: those that claims.id_token asks for, and those of `scopes` (none beside an access token)."""
    wanted = requested.get("id_token") or {}
    names = opened_by(scopes)
    return _values(user, names, wanted) if wanted or names else {}


def _values(user: User, names: set[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    everything = names.union(name for name in wanted if scope_of(name))
    if not everything:
        return {}
    values = standard_claims(user)
    if "groups" in everything:
        values["groups"] = groups.names_of(user.pk)
    return {name: value for name, value in values.items() if name in everything and acceptable(wanted.get(name), value)}
