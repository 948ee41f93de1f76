"""GET and POST /userinfo."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from idp.accounts import gate
from idp.kernel import jose
from idp.kernel.clock import now
from idp.oidc.border import cors, refused
from idp.oidc.border.form import pairs
from idp.oidc.border.http import NO_STORE, HttpIn, HttpOut, json_answer
from idp.oidc.claims.selection import userinfo_claims
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance import access_token, families
from idp.oidc.issuance.protection import sealed_for
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError


def respond(request: HttpIn) -> HttpOut:
    """OIDC Core 5.3.2: the granted claims of the person. One SQL."""
    if request.method == "OPTIONS":
        return cors.preflight(request, "GET, POST")
    try:
        claims, client = _claims(_bearer(request))
        answer = _answer(claims, client)
    except OAuthError as error:
        return cors.allow(refused.as_challenge(error, endpoint="userinfo", arrived={}), request.origin, None)
    return cors.allow(answer, request.origin, client)


def _answer(claims: dict[str, object], client: ClientPolicy) -> HttpOut:
    # OIDC Core 5.3.2: JSON, or a JWT when the client registered how it wants it signed or encrypted.
    if client.userinfo_alg is None and client.userinfo_encryption is None:
        return json_answer(claims)
    claims = {**claims, "iss": settings.IDP.issuer, "aud": client.client_id}
    token = sealed_for(client, claims, typ="JWT", algorithm=client.userinfo_alg, encryption=client.userinfo_encryption)
    return HttpOut(200, token.encode(), {"Content-Type": "application/jwt", **NO_STORE})


def _bearer(request: HttpIn) -> str:
    if request.method not in ("GET", "HEAD", "POST"):
        raise OAuthError(refusals.METHOD_NOT_ALLOWED, headers={"Allow": "GET, POST"})
    found: list[str] = []
    if request.authorization is not None:
        scheme, _, token = request.authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            found.append(token)
        else:
            raise OAuthError(refusals.BEARER_INVALID, "authorization scheme")
    if request.method == "POST" and request.content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        # RFC 6750 2.2: only in a form body that is ASCII.
        try:
            body = request.body.decode("ascii")
        except UnicodeDecodeError:
            raise OAuthError(refusals.REQUEST_MALFORMED) from None
        found += [value for name, value in pairs(body) if name == "access_token"]
    if len(found) > 1:
        raise OAuthError(refusals.BEARER_TWICE)
    if not found:
        raise OAuthError(refusals.BEARER_MISSING)
    return found[0]


def _claims(token: str) -> tuple[dict[str, object], ClientPolicy]:
    try:
        presented = access_token.read(token)
    except jose.TokenRefused as error:
        raise OAuthError(refusals.BEARER_INVALID, str(error)) from None
    audience = presented["aud"] if isinstance(presented["aud"], list) else [presented["aud"]]
    if settings.IDP.issuer not in audience:
        raise OAuthError(refusals.BEARER_INVALID, "for another audience")
    client = cache.get(presented["client_id"])
    if client is None:
        raise OAuthError(refusals.BEARER_INVALID, "client is gone")
    scopes = presented.get("scope", "").split()
    if "fid" not in presented or "openid" not in scopes:
        raise OAuthError(refusals.BEARER_SCOPE)
    family = families.by_id(UUID(presented["fid"]))
    if family is None or not family.alive(now()) or gate.refusal(family.user, epoch=family.epoch) is not None:
        raise OAuthError(refusals.BEARER_INVALID, "revoked")
    subject = subject_for(client, family.user.pk)
    return {"sub": subject, **userinfo_claims(family.user, scopes=scopes, requested=family.claims)}, client
