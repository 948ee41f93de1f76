"""POST /revoke."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from idp.events import catalogue, emit
from idp.kernel import jose
from idp.kernel.clock import now
from idp.oidc.border import cors, refused
from idp.oidc.border.form import back_channel
from idp.oidc.border.http import NO_STORE, HttpIn, HttpOut
from idp.oidc.client_auth.authenticate import authenticate
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance import access_token, families
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from .denied import deny


def respond(request: HttpIn) -> HttpOut:
    """RFC 7009 2.2: 200 whether or not there was anything to revoke; a token of another client stays untouched (2.1)."""
    if request.method == "OPTIONS":
        return cors.preflight(request, "POST")
    arrived: dict[str, str] = {}
    try:
        parsed = back_channel(request, endpoint="revoke")
        arrived = dict(parsed.form)
        client = authenticate(parsed)
        token = parsed.form.get("token")
        if token is None:
            raise OAuthError(refusals.TOKEN_MISSING)
    except OAuthError as error:
        return cors.allow(refused.as_json(error, endpoint="revoke", arrived=arrived), request.origin, None)
    _revoke(token, client)
    return cors.allow(HttpOut(200, headers={**NO_STORE, "Content-Length": "0"}), request.origin, client)


def _revoke(token: str, client: ClientPolicy) -> None:
    family = families.by_refresh_token(token)
    if family is None:
        try:
            claims = access_token.read(token)
        except jose.TokenRefused:
            return
        if claims["client_id"] != client.client_id:
            return
        if "fid" not in claims:
            deny(claims["jti"], exp=claims["exp"])
            return
        family = families.by_id(UUID(claims["fid"]))
    if family is None or family.client_pk != client.pk:
        return
    with transaction.atomic():
        if families.revoke(family.id, now=now()):
            emit(catalogue.TokensRevoked(client_id=client.client_id, reason="client", family=str(family.id)), person=family.user.pk)
