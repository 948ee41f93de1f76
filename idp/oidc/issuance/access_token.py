"""Reading access tokens that come back to us."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from idp.kernel import jose, sealing
from idp.oidc.keys.ring import ring

from .mint import ACCESS_TOKEN_TYP, OPAQUE_PREFIX, OPAQUE_PURPOSE


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
        claims = jose.verify(token, ring().published, typ=ACCESS_TOKEN_TYP)
    if claims.get("iss") != settings.IDP.issuer:
        raise jose.TokenRefused("foreign issuer")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
        raise jose.TokenRefused("expired")
    return claims
