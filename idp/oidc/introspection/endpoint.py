"""POST /introspect."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from idp.accounts import gate
from idp.kernel import jose
from idp.kernel.clock import now
from idp.oidc.border import refused
from idp.oidc.border.form import back_channel
from idp.oidc.border.http import HttpIn, HttpOut, json_answer
from idp.oidc.claims.subject import subject_for
from idp.oidc.client_auth.authenticate import authenticate
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance import access_token, families
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.revocation.denied import is_denied

INACTIVE: dict[str, Any] = {"active": False}
_SHOWN = ("iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "auth_time", "acr", "amr")


def respond(request: HttpIn) -> HttpOut:
    """RFC 7662 2.2. At most one SQL."""
    arrived: dict[str, str] = {}
    try:
        parsed = back_channel(request, endpoint="introspect")
        arrived = dict(parsed.form)
        # RFC 7662 2.1: the caller must authenticate, so a public client cannot be one.
        caller = authenticate(parsed, public_allowed=False)
        token = parsed.form.get("token")
        if token is None:
            raise OAuthError(refusals.TOKEN_MISSING)
    except OAuthError as error:
        return refused.as_json(error, endpoint="introspect", arrived=arrived)
    return json_answer(_describe(token, caller))


def _describe(token: str, caller: ClientPolicy) -> dict[str, Any]:
    try:
        claims = access_token.read(token)
    except jose.TokenRefused:
        return _describe_refresh_token(token, caller)
    # RFC 6749 4.1.2.1, hostile case AR-21: tokens of a client that was switched off or deleted count for nothing.
    if not _may_see(caller, claims) or cache.get(claims["client_id"]) is None or not alive(claims):
        return INACTIVE
    return {"active": True, "token_type": "Bearer", **{name: claims[name] for name in _SHOWN if name in claims}}


def _may_see(caller: ClientPolicy, claims: dict[str, Any]) -> bool:
    if claims["client_id"] == caller.client_id:
        return True
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    # A resource server is a service client (it signs nobody in) registered with its own identifier as resource, or whose
    # client_id is the audience. An app that may only *ask* for a resource sees nobody else's tokens for it.
    is_resource_server = "authorization_code" not in caller.grant_types
    return caller.client_id in audience or (is_resource_server and not caller.resources.isdisjoint(audience))


def alive(claims: dict[str, Any]) -> bool:
    """Whether what stands behind a genuine access token still stands: its family and person, or its `jti`. One SQL."""
    family_id = claims.get("fid")
    if family_id is None:
        return not is_denied(claims["jti"])
    return families.stands(UUID(family_id), now=now())


def _describe_refresh_token(token: str, caller: ClientPolicy) -> dict[str, Any]:
    family = families.by_refresh_token(token)
    if family is None or family.client_pk != caller.pk or not family.holds(token) or not family.refreshable(now()):
        return INACTIVE
    if gate.refusal(family.user, epoch=family.epoch) is not None:
        return INACTIVE
    return {
        "active": True,
        "client_id": caller.client_id,
        "sub": subject_for(caller, family.user.pk),
        "scope": " ".join(family.scopes),
        "exp": int(family.expires_at.timestamp()),
    }
