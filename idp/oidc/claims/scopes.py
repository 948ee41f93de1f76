"""Which scope opens which claims (OIDC Core 5.4): what the profile's attributes declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from idp.accounts.attributes import scope_claims

PROTOCOL_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid", "at_hash", "azp")
_scope_of: tuple[Mapping[str, tuple[str, ...]], dict[str, str]] = ({}, {})


def opened_by(scopes: Iterable[str]) -> set[str]:
    """Claims that these scopes open."""
    known = scope_claims()
    return {claim for scope in scopes for claim in known.get(scope, ())}


def scope_of(claim: str) -> str | None:
    """The scope that opens this claim; None for what is no claim of a person."""
    global _scope_of
    known = scope_claims()
    if _scope_of[0] is not known:
        _scope_of = (known, {name: scope for scope, names in known.items() for name in names})
    return _scope_of[1].get(claim)
