"""ID tokens that come back as hints."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from idp.kernel import jose
from idp.oidc.keys.ring import ring

from .mint import ID_TOKEN_TYP


def read(token: str) -> dict[str, Any]:
    """The claims of an ID token that we issued, expired or signed by a retired key included (OIDC Core 3.1.2.1).

    Raises jose.TokenRefused.
    """
    current = ring()
    claims = jose.verify(token, {**current.former, **current.published}, typ=ID_TOKEN_TYP)
    if claims.get("iss") != settings.IDP.issuer or not isinstance(claims.get("sub"), str):
        raise jose.TokenRefused("not an ID token of ours")
    return claims
