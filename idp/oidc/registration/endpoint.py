"""POST /register; GET, PUT and DELETE /register/CLIENT_ID."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from idp.kernel import context, limits
from idp.kernel.clock import now
from idp.kernel.ids import digest, secret_token
from idp.oidc.border.http import NO_STORE, HttpIn, HttpOut, json_answer
from idp.oidc.border.refused import as_json
from idp.oidc.clients import registry
from idp.oidc.clients.metadata import InvalidMetadata
from idp.oidc.models import Client
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from . import document, tokens

_OURS = (
    "enabled",
    "first_party",
    "profile",
    "allowed_origins",
    "resources",
    "access_token_alg",
    "access_token_format",
    "access_token_seconds",
)
UNUSED_FOR = timedelta(days=30)


def register(request: HttpIn) -> HttpOut:
    """RFC 7591 3."""
    try:
        if settings.IDP.registration == "closed":
            raise OAuthError(refusals.REGISTRATION_CLOSED)
        if request.method != "POST":
            raise OAuthError(refusals.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        _may_register(request)
        if request.content_type.partition(";")[0].strip().lower() != "application/json":
            raise OAuthError(refusals.REGISTRATION_NOT_JSON)
        wanted = document.parse(request.body)
        document.check_sector(wanted)
        token = secret_token(32)
        client, secret = registry.create(wanted | {"profile": settings.IDP.registration_profile}, registration_token_digest=digest(token))
    except InvalidMetadata as error:
        return _invalid(error)
    except OAuthError as error:
        return as_json(error, endpoint="register", arrived={})
    return json_answer(_answer(client, token, secret), status=201)


def manage(request: HttpIn, client_id: str) -> HttpOut:
    """RFC 7592 2."""
    try:
        if request.method not in ("GET", "PUT", "DELETE"):
            raise OAuthError(refusals.METHOD_NOT_ALLOWED, headers={"Allow": "GET, PUT, DELETE"})
        client, token = _managed(request, client_id)
        if request.method == "DELETE":
            registry.delete(client)
            return HttpOut(204, headers=dict(NO_STORE))
        if request.method == "GET":
            return json_answer(_answer(client, token, None))
        return _replace(request, client)
    except InvalidMetadata as error:
        return _invalid(error)
    except OAuthError as error:
        return as_json(error, endpoint="register", arrived={}, client_id=client_id)


def _replace(request: HttpIn, client: Client) -> HttpOut:
    # RFC 7592 2.2: the whole metadata; what is left out is deleted. The client_id must be the client's own.
    wanted = document.parse(request.body)
    if document.stated_client_id(request.body) != client.client_id:
        raise InvalidMetadata("client_id", "must be the client's own")
    document.check_sector(wanted)
    token = secret_token(32)
    secret = registry.replace(client, wanted | {"profile": client.profile}, registration_token_digest=digest(token))
    return json_answer(_answer(client, token, secret))


def _bearer(request: HttpIn) -> str | None:
    scheme, _, token = (request.authorization or "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def _may_register(request: HttpIn) -> None:
    idp = settings.IDP
    token = _bearer(request)
    if token is not None or idp.registration == "token":
        # RFC 7591 3: a token that is offered must be good, even where none is needed.
        if token is None or not tokens.spend_initial(token):
            raise OAuthError(
                refusals.INITIAL_ACCESS_TOKEN_INVALID, headers={"WWW-Authenticate": 'Bearer realm="register", error="invalid_token"'}
            )
        return
    verdict = limits.hit("register", context.network(request.ip), limit=idp.registration_per_hour, seconds=3600)
    if not verdict.allowed:
        raise OAuthError(refusals.REGISTRATION_THROTTLED, headers={"Retry-After": str(verdict.retry_after)})


def _managed(request: HttpIn, client_id: str) -> tuple[Client, str]:
    # RFC 7592 2.1: one answer for a wrong token and for a client that is gone.
    token = _bearer(request)
    client = Client.objects.filter(client_id=client_id).first() if len(client_id) <= 255 and "\x00" not in client_id else None
    if token is None or client is None or not client.enabled or not tokens.manages(client, token):
        raise OAuthError(
            refusals.REGISTRATION_TOKEN_INVALID, headers={"WWW-Authenticate": 'Bearer realm="register", error="invalid_token"'}
        )
    return client, token


def _answer(client: Client, token: str, secret: str | None) -> dict[str, Any]:
    # RFC 7591 3.2.1, RFC 7592 3.
    answer = {name: value for name, value in registry.describe(client).items() if name not in _OURS}
    if secret is not None:
        answer |= {"client_secret": secret, "client_secret_expires_at": 0}
    uri = f"{settings.IDP.issuer}/register/{client.client_id}"
    return {**answer, "registration_access_token": token, "registration_client_uri": uri}


def _invalid(error: InvalidMetadata) -> HttpOut:
    # RFC 7591 3.2.2. The message is ours alone: it names a member that we know and a rule, never a value.
    text = "".join(c if 0x20 <= ord(c) <= 0x7E and c not in '"\\' else " " for c in f"{error}.")
    return json_answer({"error": error.error, "error_description": text}, status=400)


def delete_unused(limit: int = 100) -> int:
    """Remove self-registered clients that nobody ever used; one bounded batch, returns how many."""
    unused = Client.objects.filter(
        registration_source=Client.RegistrationSource.DCR,
        created__lt=now() - UNUSED_FOR,
        authorizationcode=None,
        tokenfamily=None,
    )[:limit]
    count = 0
    for client in unused:
        registry.delete(client)
        count += 1
    return count
