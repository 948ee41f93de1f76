"""Access tokens that the provider makes for itself, to prove to another service that it is the one that calls.

Spec: RFC 9068 2 (JSON Web Token profile of access tokens).
"""

from __future__ import annotations

import time

from django.conf import settings

from idp.kernel.ids import secret_token
from idp.oidc.keys.ring import signer

from .mint import ACCESS_TOKEN_TYP

SECONDS = 300
ALGORITHM = "ES256"


def own_access_token(audience: str) -> str:
    """A signed token for `audience`; the provider's issuer is client and subject (RFC 9068 2.2). No SQL, no write."""
    moment = int(time.time())
    issuer = settings.IDP.issuer
    claims = {
        "iss": issuer,
        "sub": issuer,
        "client_id": issuer,
        "aud": audience,
        "iat": moment,
        "exp": moment + SECONDS,
        "jti": secret_token(16),
    }
    return signer(ALGORITHM).sign(claims, typ=ACCESS_TOKEN_TYP)
