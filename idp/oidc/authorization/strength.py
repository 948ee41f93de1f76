"""How strongly the person must have authenticated for this request, and what the app is told (OIDC Core 3.1.2.1, 5.5.1.1; RFC 9470)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.mfa import factors
from idp.oidc.request.authorization_request import AuthorizationRequest
from idp.sessions import assurance

if TYPE_CHECKING:
    from idp.accounts.models import User


@dataclass(frozen=True, slots=True)
class Wanted:
    """The weakest acr that would do; `acr` is empty where the app did not ask. `essential`: without it there is no answer."""

    acr: str
    essential: bool


def named(request: AuthorizationRequest) -> tuple[tuple[str, ...], bool]:
    """The acr values of the request that we know, and whether one of them is essential.

    claims.id_token.acr goes before acr_values (OIDC Core 5.5.1.1: asking by both is undefined).
    """
    options = (request.claims.get("id_token") or {}).get("acr") or {}
    values = options.get("values") or ([options["value"]] if "value" in options else [])
    known = tuple(str(value) for value in values if assurance.rank(str(value)))
    if known:
        return known, bool(options.get("essential"))
    return tuple(value for value in request.acr_values if assurance.rank(value)), False


def wanted(request: AuthorizationRequest) -> Wanted:
    """What this request asks for."""
    values, essential = named(request)
    return Wanted(min(values, key=assurance.rank, default=""), essential)


def is_within_reach(person: User, wanted: Wanted) -> bool:
    """Whether this person holds what it takes."""
    return assurance.rank(factors.reach(person)) >= assurance.rank(wanted.acr)


def answered(request: AuthorizationRequest, acr: str) -> str:
    """The acr for the app: one that it named, where the session reaches one."""
    return assurance.answered(acr, named(request)[0])
