"""Reading access tokens that come back to us."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from idp.kernel import jose, sealing
from idp.kernel.ids import digest
from idp.oidc.keys.ring import ring

from .mint import ACCESS_TOKEN_TYP, OPAQUE_PREFIX, OPAQUE_PURPOSE

MOST = 4096


@dataclass(frozen=True, slots=True)
class _Verified:
    """Tokens that were found genuine under these keys, by digest; a few kilobytes each. Services ask about the same ones again."""

    keys: Mapping[str, jose.Verifier] = field(default_factory=dict)
    claims: dict[bytes, dict[str, Any]] = field(default_factory=dict)


_known = _Verified()


def read(token: str) -> dict[str, Any]:
    """The claims of a genuine and unexpired access token of ours, whatever its form.

    Raises jose.TokenRefused. Whether its family, person and client are still alive is the caller's question. No SQL.
    """
    if len(token) > jose.MAX_TOKEN_CHARACTERS:
        raise jose.TokenRefused("too long")
    if token.startswith(OPAQUE_PREFIX):
        try:
            claims: dict[str, Any] = json.loads(sealing.unseal(token.removeprefix(OPAQUE_PREFIX), purpose=OPAQUE_PURPOSE))
        except (sealing.SealBroken, ValueError) as error:
            raise jose.TokenRefused("not sealed by us") from error
    else:
        claims = _verified(token)
    if claims.get("iss") != settings.IDP.issuer:
        raise jose.TokenRefused("foreign issuer")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
        raise jose.TokenRefused("expired")
    return claims


def _verified(token: str) -> dict[str, Any]:
    # Only that the signature is good is remembered: time, revocation, person and client are looked at every time.
    global _known
    keys, known, name = ring().published, _known, digest(token)
    if known.keys is not keys:  # a key came or went
        known = _known = _Verified(keys)
    claims = known.claims.get(name)
    if claims is None:
        claims = jose.verify(token, keys, typ=ACCESS_TOKEN_TYP)
        if len(known.claims) >= MOST:
            known.claims.clear()
        known.claims[name] = claims
    return dict(claims)
