"""Signed client assertions: what is common to private_key_jwt and client_secret_jwt.

Spec: RFC 7523 2.2 and 3, OpenID Connect Core 9, RFC 8725.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from idp.kernel import db, jose
from idp.kernel.clock import now
from idp.kernel.ids import digest
from idp.oidc.clients.policy import ClientPolicy

from .presented import BackChannelRequest, Presented

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW = 10
LONGEST, LONGEST_CLASSIC = 300, 3600  # seconds ahead that `exp` may be (RFC 7523 3 (4): it may be refused when unreasonably far)


def find(request: BackChannelRequest) -> Presented | None:
    """The assertion in the body, or None. Whose it is says its unverified `sub`; nothing else of it is believed here."""
    assertion = request.form.get("client_assertion")
    if assertion is None or request.form.get("client_assertion_type") != TYPE:
        return None
    try:
        method = "client_secret_jwt" if jose.header_of(assertion).get("alg") == "HS256" else "private_key_jwt"
        subject = jose.unverified_claims(assertion).get("sub")
    except jose.TokenRefused:
        method, subject = "private_key_jwt", None
    return Presented(method, subject if isinstance(subject, str) else request.form.get("client_id", ""), assertion)


def check(claims: dict[str, Any], client: ClientPolicy, request: BackChannelRequest) -> None:
    """RFC 7523 3: issuer, subject, audience, times, and `jti` used once. Raises jose.TokenRefused. One INSERT."""
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise jose.TokenRefused("iss or sub is not the client")
    _check_audience(claims.get("aud"), client, request.endpoint)
    moment = time.time()
    expires = _number(claims, "exp")
    if expires is None or expires < moment - SKEW or expires > moment + SKEW + (LONGEST_CLASSIC if client.classic else LONGEST):
        raise jose.TokenRefused("exp")
    for name in ("nbf", "iat"):
        value = _number(claims, name)
        if value is not None and value > moment + SKEW:
            raise jose.TokenRefused(name)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 500:
        raise jose.TokenRefused("jti")
    _use_once(client, jti, until=expires)


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise jose.TokenRefused(name)
    return float(value)


def _check_audience(audience: Any, client: ClientPolicy, endpoint: str) -> None:
    # RFC 7523bis 4, FAPI 2.0 Security Profile 5.3.2.1: the issuer as the only value, so that no other server can pass the assertion on.
    # OIDC Core 9 and RFC 7523 3 (3): classic clients may send the token endpoint's URL, or an array.
    issuer = settings.IDP.issuer
    if not client.classic:
        if audience != issuer:
            raise jose.TokenRefused("aud")
        return
    accepted = {issuer, f"{issuer}/token", f"{issuer}/{endpoint}"}
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(value, str) and value in accepted for value in named):
        raise jose.TokenRefused("aud")


def _use_once(client: ClientPolicy, jti: str, *, until: float) -> None:
    # RFC 7523 3 (7): in the database, so that no restart and no flush makes a replay possible.
    key = digest(f"{client.client_id}|{jti}")
    expires_at = datetime.fromtimestamp(until + SKEW + 1, UTC)
    fresh = db.change("INSERT INTO oidc_used_assertion (digest, expires_at) VALUES (%s, %s) ON CONFLICT DO NOTHING", [key, expires_at])
    if fresh != 1:
        raise jose.TokenRefused("jti was used before")


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of ids that have expired; returns how many."""
    return db.change(
        "DELETE FROM oidc_used_assertion WHERE digest IN (SELECT digest FROM oidc_used_assertion WHERE expires_at < %s LIMIT %s)",
        [now(), limit],
    )
