"""The one mint."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from idp.kernel import jose, sealing
from idp.kernel.ids import secret_token
from idp.oidc.claims.selection import id_token_claims
from idp.oidc.claims.subject import subject_for
from idp.oidc.keys.ring import signer

from .authorization import Authorization, TokenSet
from .protection import sealed_for

ACCESS_TOKEN_TYP = "at+jwt"  # RFC 9068 2.1
ID_TOKEN_TYP = "JWT"
OPAQUE_PREFIX = "opaque_"
OPAQUE_PURPOSE = "access-token"


def mint(authorization: Authorization) -> TokenSet:
    """Sign what was granted. No SQL, no write."""
    moment = int(time.time())
    client = authorization.client
    access_token = _access_token(authorization, moment)
    id_token = None
    if authorization.user is not None and "openid" in authorization.scopes:
        id_token = _id_token(authorization, moment, access_token=access_token)
    return TokenSet(
        access_token=access_token,
        expires_in=client.access_token_seconds,
        scope=" ".join(authorization.scopes),
        refresh_token=authorization.refresh_token,
        id_token=id_token,
        issued_token_type=authorization.issued_token_type,
    )


def mint_front_channel(authorization: Authorization, *, response_type: str, code: str | None) -> dict[str, str]:
    """The members that come through the browser beside `code` (OIDC Core 3.2.2.5, 3.3.2.5). No SQL, no write."""
    words = response_type.split()
    moment = int(time.time())
    members: dict[str, str] = {}
    if "token" in words:
        members["access_token"] = _access_token(authorization, moment)
        members["token_type"] = "Bearer"
        members["expires_in"] = str(authorization.client.access_token_seconds)
    if "id_token" in words:
        members["id_token"] = _id_token(
            authorization, moment, access_token=members.get("access_token"), code=code, only=words == ["id_token"]
        )
    return members


def _subject(authorization: Authorization) -> str:
    # RFC 9068 2.2: without a resource owner the subject is the client.
    user = authorization.user
    return authorization.client.client_id if user is None else subject_for(authorization.client, user.pk)


def _access_token(authorization: Authorization, moment: int) -> str:
    client, audience = authorization.client, authorization.audience
    claims: dict[str, Any] = {
        "iss": settings.IDP.issuer,
        "sub": _subject(authorization),
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "client_id": client.client_id,
        "iat": moment,
        "exp": moment + client.access_token_seconds,
        "jti": secret_token(16),
    }
    if authorization.scopes:
        claims["scope"] = " ".join(authorization.scopes)
    if authorization.family_id is not None:
        claims["fid"] = authorization.family_id.hex
    authentication = authorization.authentication
    if authentication is not None:
        # RFC 9068 2.2.1: so that a resource server can ask for a step-up (RFC 9470).
        claims |= {"auth_time": int(authentication.auth_time.timestamp()), "acr": authentication.acr, "amr": list(authentication.amr)}
    if client.access_token_format == "opaque":
        body = json.dumps(claims, separators=(",", ":")).encode()
        return OPAQUE_PREFIX + sealing.seal(body, purpose=OPAQUE_PURPOSE)
    return signer(client.access_token_alg).sign(claims, typ=ACCESS_TOKEN_TYP)


def _id_token(authorization: Authorization, moment: int, *, access_token: str | None, code: str | None = None, only: bool = False) -> str:
    # `only`: no access token is issued, so the claims of the scopes have no other way to travel (OIDC Core 5.4).
    user, authentication, client = authorization.user, authorization.authentication, authorization.client
    assert user is not None
    assert authentication is not None
    claims: dict[str, Any] = {
        "iss": settings.IDP.issuer,
        "sub": _subject(authorization),
        "aud": client.client_id,
        "iat": moment,
        "exp": moment + settings.IDP.id_token_seconds,
        "auth_time": int(authentication.auth_time.timestamp()),
        "acr": authentication.acr,
        "amr": list(authentication.amr),
    }
    if authentication.sid:  # a token exchange happens in no browser session
        claims["sid"] = authentication.sid
    # OIDC Core 3.1.3.6, 3.2.2.10, 3.3.2.11: bound to what comes along.
    if access_token is not None and client.id_token_alg != "none":
        claims["at_hash"] = jose.left_half_hash(access_token, client.id_token_alg)
    if code is not None:
        claims["c_hash"] = jose.left_half_hash(code, client.id_token_alg)
    if authorization.nonce:
        claims["nonce"] = authorization.nonce
    # Beside an access token only what claims.id_token asks for: scopes fill userinfo, not the ID token (OIDC Core 5.4).
    scopes = authorization.scopes if only else ()
    claims = {**id_token_claims(user, scopes=scopes, requested=authorization.claims), **claims}
    return sealed_for(client, claims, typ=ID_TOKEN_TYP, algorithm=client.id_token_alg, encryption=client.id_token_encryption)
