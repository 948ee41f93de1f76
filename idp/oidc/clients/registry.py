"""Create, change and delete clients. The only writer of the client tables."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from idp.consent.models import Consent
from idp.events import catalogue, emit
from idp.events.changes import Changes, diff
from idp.kernel import generations, sealing
from idp.kernel.clock import now
from idp.kernel.ids import identifier, secret_token
from idp.oidc.keys import rotation
from idp.oidc.models import Client, ClientSecret

from . import cache, logos
from .metadata import OPTIONAL, InvalidMetadata, validate
from .policy import SECRET_PURPOSE, STANDARD_SCOPES, secret_digest

SECRET_OVERLAP = timedelta(days=1)
SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
_FOR_PEOPLE: dict[str, Any] = {
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": " ".join(STANDARD_SCOPES),
}
# What `--type` stands for; every member can be overridden.
TYPES: dict[str, dict[str, Any]] = {
    "web": {**_FOR_PEOPLE, "application_type": "web", "token_endpoint_auth_method": "client_secret_basic"},
    "spa": {**_FOR_PEOPLE, "application_type": "web", "token_endpoint_auth_method": "none"},
    "native": {**_FOR_PEOPLE, "application_type": "native", "token_endpoint_auth_method": "none"},
    "service": {
        "application_type": "web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "scope": "",
    },
}
_DEFAULTS: dict[str, Any] = {
    "redirect_uris": [],
    "post_logout_redirect_uris": [],
    "allowed_origins": [],
    "resources": [],
    "profile": "oauth21",
    "first_party": False,
}
# Kept in columns of their own; everything else stays in `metadata`.
_COLUMNS = ("client_name", "redirect_uris", "post_logout_redirect_uris", "allowed_origins", "profile", "first_party")


def check(document: Mapping[str, Any], *, kind: str = "web", before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All members of the client that `create`, or with `before` (see `describe`) `update`, would make of `document`.

    Raises InvalidMetadata. A member that need not be there goes by None.
    """
    start = before or {**_DEFAULTS, **TYPES[kind]}
    meta = validate(
        {
            member: value
            for member, value in {**start, **_grants_of(document), **document}.items()
            if value is not None or member not in OPTIONAL
        }
    )
    if "client_name" not in meta:
        raise InvalidMetadata("client_name", "is missing")
    return meta


def create(
    document: Mapping[str, Any],
    *,
    type: str = "web",
    client_id: str | None = None,
    by: UUID | None = None,
    registration_token_digest: bytes | None = None,
) -> tuple[Client, str | None]:
    """Register a client. `type` is one of `TYPES`; returns it and, once, its secret (None where it has none).

    `registration_token_digest` marks a client that registered itself (RFC 7591): nobody has checked it, and the token manages it.
    Raises InvalidMetadata; nothing is stored then.
    """
    meta = check(document, kind=type)
    with transaction.atomic():
        client = Client(client_id=client_id or identifier())
        if registration_token_digest is not None:
            client.registration_source = Client.RegistrationSource.DCR
            client.registration_token_digest = registration_token_digest
        _assign(client, meta)
        client.save(force_insert=True)
        secret = _new_secret(client) if client.token_endpoint_auth_method in SECRET_METHODS else None
        emit(catalogue.ClientCreated(client_id=client.client_id), by=by, changes=_changes({}, describe(client)))
        generations.bump(cache.GENERATION)
    _fetch_logo(client, before=None)
    return client, secret


def update(client: Client, document: Mapping[str, Any], *, by: UUID | None = None) -> str | None:
    """Change members of a client; the whole result is validated again. Returns a new secret if one became necessary.

    Raises InvalidMetadata; nothing is stored then.
    """
    before = describe(client)
    return _store(client, check(document, before=before), before, by=by)


def replace(client: Client, document: Mapping[str, Any], *, registration_token_digest: bytes) -> str | None:
    """Like `update`, but members that are left out go back to their defaults, and the managing token is a new one (RFC 7592 2.2).

    Raises InvalidMetadata.
    """
    client.registration_token_digest = registration_token_digest
    return _store(client, validate({**_DEFAULTS, **document}), describe(client), by=None)


def _store(client: Client, meta: dict[str, Any], before: dict[str, Any], *, by: UUID | None) -> str | None:
    with transaction.atomic():
        _assign(client, meta)
        client.save()
        secret = None
        method = client.token_endpoint_auth_method
        if method not in SECRET_METHODS:
            client.secrets.all().delete()
        elif not client.secrets.exists() or (method == "client_secret_jwt" and client.secrets.filter(sealed="").exists()):
            client.secrets.all().delete()  # a secret that we only know hashed cannot check an HMAC
            secret = _new_secret(client)
        after = describe(client)
        changed = sorted(member for member in {*before, *after} if before.get(member) != after.get(member))
        emit(catalogue.ClientUpdated(client_id=client.client_id, members=tuple(changed)), by=by, changes=_changes(before, after))
        generations.bump(cache.GENERATION)
    _fetch_logo(client, before=before.get("logo_uri"))
    return secret


def _fetch_logo(client: Client, *, before: str | None) -> None:
    # After the commit: nobody waits for somebody else's server with a lock in hand.
    if client.metadata.get("logo_uri") != before:
        logos.refresh(client)
        with transaction.atomic():
            generations.bump(cache.GENERATION)


def set_enabled(client: Client, enabled: bool, *, by: UUID | None = None) -> None:
    """Switch a client on or off; off takes effect everywhere within a second."""
    with transaction.atomic():
        client.enabled = enabled
        client.save(update_fields=["enabled", "updated"])
        changes = _changes({"enabled": not enabled}, {"enabled": enabled})
        emit(catalogue.ClientUpdated(client_id=client.client_id, members=("enabled",)), by=by, changes=changes)
        generations.bump(cache.GENERATION)


def rotate_secret(client: Client, *, overlap: timedelta = SECRET_OVERLAP, by: UUID | None = None) -> str:
    """A new secret; the present one keeps working for `overlap`, older ones end at once. Raises InvalidMetadata for public clients."""
    if client.token_endpoint_auth_method not in SECRET_METHODS:
        raise InvalidMetadata("token_endpoint_auth_method", "is one without a secret")
    with transaction.atomic():
        newest = client.secrets.order_by("-created_at").first()
        if newest is not None:
            client.secrets.exclude(pk=newest.pk).delete()
            newest.expires_at = now() + overlap
            newest.save(update_fields=["expires_at"])
        secret = _new_secret(client)
        changes = _changes({"client_secret": 1}, {"client_secret": 2, "overlap_seconds": int(overlap.total_seconds())})
        emit(catalogue.ClientSecretRotated(client_id=client.client_id), by=by, changes=changes)
        generations.bump(cache.GENERATION)
    return secret


def delete(client: Client, *, by: UUID | None = None) -> None:
    """Remove a client with its codes, families, consents and secrets."""
    with transaction.atomic():
        client_id, before = client.client_id, describe(client)
        client.delete()
        # By name, not by row: a later client under the same identifier must not inherit what people allowed this one.
        Consent.objects.filter(client_id=client_id).delete()
        emit(catalogue.ClientDeleted(client_id=client_id), by=by, changes=_changes(before, {}))
        generations.bump(cache.GENERATION)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    return {
        name: sides
        for name, sides in diff(before, after, personal=("contacts",)).items()
        if name not in ("client_id", "client_id_issued_at")
    }


def _grants_of(document: Mapping[str, Any]) -> dict[str, Any]:
    # RFC 7591 2.1: response types named without grant types bring the grant types that go with them.
    if "response_types" not in document or "grant_types" in document or not isinstance(document["response_types"], list):
        return {}
    words = {word for value in document["response_types"] if isinstance(value, str) for word in value.split()}
    grants = ["authorization_code", "refresh_token"] if "code" in words else []
    return {"grant_types": grants + (["implicit"] if words & {"token", "id_token"} else [])}


def describe(client: Client) -> dict[str, Any]:
    """The client under RFC 7591 member names; never a secret."""
    return {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created.timestamp()),
        "client_name": client.name,
        **client.metadata,
        "redirect_uris": client.redirect_uris.split(),
        "post_logout_redirect_uris": client.post_logout_redirect_uris.split(),
        "allowed_origins": client.allowed_origins.split(),
        "profile": client.profile,
        "first_party": client.first_party,
        "enabled": client.enabled,
    }


def _assign(client: Client, meta: dict[str, Any]) -> None:
    algorithms = {
        meta.get("id_token_signed_response_alg", "RS256"),
        meta.get("access_token_alg", "ES256"),
        meta.get("userinfo_signed_response_alg"),
    }
    rotation.ensure(*algorithms.difference(("none", None)))
    client.name = meta["client_name"]
    client.redirect_uris = " ".join(meta["redirect_uris"])
    client.post_logout_redirect_uris = " ".join(meta["post_logout_redirect_uris"])
    client.allowed_origins = " ".join(meta["allowed_origins"])
    client.profile = meta["profile"]
    client.first_party = meta["first_party"]
    client.token_endpoint_auth_method = meta["token_endpoint_auth_method"]
    client.client_type = Client.CLIENT_PUBLIC if client.token_endpoint_auth_method == "none" else Client.CLIENT_CONFIDENTIAL
    # The engine's own column holds one grant type; ours (metadata) holds them all and is what is asked.
    client.authorization_grant_type = (
        Client.GRANT_AUTHORIZATION_CODE if "authorization_code" in meta["grant_types"] else Client.GRANT_CLIENT_CREDENTIALS
    )
    client.metadata = {member: value for member, value in meta.items() if member not in _COLUMNS}


def _new_secret(client: Client) -> str:
    # URL-safe characters only: many relying parties forget to form-encode the secret for HTTP Basic (RFC 6749 2.3.1).
    secret, salt = secret_token(32), secrets.token_bytes(16)
    sealed = sealing.seal(secret.encode(), purpose=SECRET_PURPOSE) if client.token_endpoint_auth_method == "client_secret_jwt" else ""
    ClientSecret.objects.create(client=client, salt=salt, digest=secret_digest(salt, secret), sealed=sealed)
    return secret
