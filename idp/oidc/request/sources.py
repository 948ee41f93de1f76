"""Request objects: parameters inside a JWT, by value or by reference, merged before anything is judged.

Spec: OpenID Connect Core 6.1, 6.2, 6.3; RFC 9101 4, 5, 6 (typ, iss, aud, exp), 10.8 (no other JWT taken for one).
Not covered: encrypted request objects.
"""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from idp.kernel import jose
from idp.oidc.border import form
from idp.oidc.clients import cache, keys
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from . import reference
from .authorization_request import RawRequest

SKEW = 60
_TYPES = (None, "JWT", "jwt", "oauth-authz-req+jwt")
# About the object itself, not about the request.
_JWT_MEMBERS = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti", "sub"})


def resolve(raw: RawRequest) -> RawRequest:
    """The request with the parameters of its request object in place of those outside (OIDC Core 6.1). Raises OAuthError."""
    by_value, uri = raw.parameters.get("request"), raw.parameters.get("request_uri")
    client = cache.get(raw.parameters.get("client_id", ""))
    if (by_value is None and uri is None) or client is None or raw.duplicates:
        return raw  # nothing to do, or to be refused by the checks that follow
    if by_value is not None and uri is not None:
        raise OAuthError(refusals.REQUEST_OBJECT_TWICE)
    token = by_value if by_value is not None else reference.fetch(client, str(uri))
    inside = _verified(client, token)
    # OIDC Core 6.1: what is outside and must be there too has to say the same.
    for name in ("client_id", "response_type"):
        if name in inside and inside[name] != raw.parameters.get(name):
            raise OAuthError(refusals.REQUEST_OBJECT_INVALID, f"{name} differs")
    return _merged(raw, inside)


def _verified(client: ClientPolicy, token: str) -> dict[str, Any]:
    try:
        header = jose.header_of(token)
        algorithm = header.get("alg")
        if header.get("typ") not in _TYPES or algorithm not in _allowed(client):
            raise jose.TokenRefused("typ or alg")
        if algorithm == "none":
            claims = jose.claims_of_unsigned(token)
        else:
            claims = keys.verify(client, token, algorithms=(str(algorithm),))
        _check_times_and_parties(client, claims, signed=algorithm != "none")
    except jose.TokenRefused as error:
        raise OAuthError(refusals.REQUEST_OBJECT_INVALID, str(error)) from None
    return claims


def _allowed(client: ClientPolicy) -> tuple[str, ...]:
    # OpenID Registration 2: the registered algorithm, else any; unsigned ones for classic clients only.
    if client.request_object_alg is not None:
        return (client.request_object_alg,)
    return (*jose.FOREIGN_ALGORITHMS, "none") if client.classic else jose.FOREIGN_ALGORITHMS


def _check_times_and_parties(client: ClientPolicy, claims: dict[str, Any], *, signed: bool) -> None:
    issuer, audience, moment = claims.get("iss"), claims.get("aud"), time.time()
    if issuer is not None and issuer != client.client_id:
        raise jose.TokenRefused("iss")
    named = audience if isinstance(audience, list) else [audience]
    if audience is not None and settings.IDP.issuer not in named:
        raise jose.TokenRefused("aud")
    # RFC 9101 10.8: a client assertion has the client as its subject; it is no request.
    if signed and claims.get("sub") == client.client_id:
        raise jose.TokenRefused("sub is the client")
    if "request" in claims or "request_uri" in claims:
        raise jose.TokenRefused("nested")
    if _late(claims.get("exp"), moment - SKEW) or _late(moment + SKEW, claims.get("nbf")):
        raise jose.TokenRefused("exp or nbf")


def _late(limit: Any, moment: Any) -> bool:
    """Whether `limit` lies before `moment`; an absent member sets no limit, anything but a number is refused."""
    if limit is None or moment is None:
        return False
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (limit, moment)):
        raise jose.TokenRefused("exp or nbf is not a number")
    return bool(limit < moment)


def _merged(raw: RawRequest, inside: dict[str, Any]) -> RawRequest:
    parameters = {name: value for name, value in raw.parameters.items() if name not in ("request", "request_uri")}
    resources = raw.resources
    for name, value in inside.items():
        if name in _JWT_MEMBERS:
            continue
        if form.CONTROL.search(name):
            raise OAuthError(refusals.REQUEST_OBJECT_INVALID, "control character in a name")
        if name == "resource":
            resources = tuple(str(item) for item in (value if isinstance(value, list) else [value]))
        else:
            parameters[str(name)] = _as_text(name, value)
    return RawRequest(parameters, resources, raw.duplicates)


def _as_text(name: str, value: Any) -> str:
    # OIDC Core 6.1: claims is an object, max_age a number; everything else is text like outside.
    if isinstance(value, str):
        # As strict as outside: hostile case PX-07.
        if form.CONTROL.search(value):
            raise OAuthError(refusals.REQUEST_OBJECT_INVALID, f"control character in {name[:40]}")
        return value
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise OAuthError(refusals.REQUEST_OBJECT_INVALID, f"member {name[:40]}")
