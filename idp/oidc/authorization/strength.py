"""How strongly the person must have authenticated for this request, and what the app is told (OIDC Core 3.1.2.1, 5.5.1.1; RFC 9470)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.mfa import factors, policy
from idp.oidc.clients.policy import ClientPolicy
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

    claims.id_token.acr goes before acr_values (OIDC Core 5.5.1.1: asking by both is undefined), and either before what the client
    registered as default_acr_values (OpenID Connect Registration 2), a wish like acr_values.
    """
    options = (request.claims.get("id_token") or {}).get("acr") or {}
    values = options.get("values") or ([options["value"]] if "value" in options else [])
    known = tuple(str(value) for value in values if assurance.rank(str(value)))
    if known:
        return known, bool(options.get("essential"))
    return tuple(value for value in request.acr_values or request.client.default_acr_values if assurance.rank(value)), False


def wanted(request: AuthorizationRequest) -> Wanted:
    """What this request asks for."""
    values, essential = named(request)
    return Wanted(min(values, key=assurance.rank, default=""), essential)


@dataclass(frozen=True, slots=True)
class Minimum:
    """The weakest acr that policy lets through, whatever the app asked for.

    `proof`: what this person can prove, and must. `setup`: what they cannot, so that it must be set up first; `may_wait`: not at once.
    """

    proof: str = ""
    setup: str = ""
    may_wait: bool = False


def minimum(client: ClientPolicy, person: User, *, acr: str, trusts: Callable[[], bool]) -> Minimum:
    """What deployment, groups and client ask of this person, whose session has `acr`; `trusts`: it passed by a trusted browser."""
    rule = policy.of_person(person.pk)
    proof = setup = ""
    may_wait = False
    for wanted, by_trust, own in ((client.min_acr, client.allow_trusted_browser, True), (rule.acr, rule.trusted_browsers, False)):
        if policy.reaches(acr, wanted) or (by_trust and trusts()):
            continue
        if not policy.lacks(person, wanted):
            proof = assurance.strongest(proof, wanted)
        elif own:
            setup = wanted
        elif not setup:
            setup, may_wait = wanted, True
    return Minimum(proof, setup, may_wait)


def is_within_reach(person: User, wanted: Wanted) -> bool:
    """Whether this person holds what it takes."""
    return assurance.rank(factors.reach(person)) >= assurance.rank(wanted.acr)


def answered(request: AuthorizationRequest, acr: str) -> str:
    """The acr for the app: one that it named, where the session reaches one."""
    return assurance.answered(acr, named(request)[0])
