"""Keys of clients, and what clients sign with them; another library than the provider's."""

from __future__ import annotations

import secrets
import time
import warnings
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, RSAKey


@cache
def rsa_key() -> RSAKey:
    """One RSA key for the whole run."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, private=True)


@cache
def ec_key(kid: str = "ec") -> ECKey:
    """A P-256 key by name."""
    return ECKey.generate_key("P-256", {"use": "sig", "kid": kid}, private=True)


def jwks(*keys: Any) -> dict[str, Any]:
    """Their public halves."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Any, claims: dict[str, Any], *, alg: str = "ES256", **header: Any) -> str:
    """A compact JWS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode({"alg": alg, **header}, claims, key, algorithms=[alg])


def assertion(client_id: str, audience: Any, **changes: Any) -> dict[str, Any]:
    """A correct client assertion's claims (RFC 7523 3) with `changes`; None leaves one out."""
    moment = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": moment, "exp": moment + 60, "jti": secrets.token_urlsafe(8)}
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}
