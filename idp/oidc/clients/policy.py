"""`ClientPolicy`: server settings joined with one client's metadata and profile. Everything downstream asks it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from idp.accounts.attributes import scope_claims
from idp.oidc.models import Client

from . import redirect_uris

SECRET_PURPOSE = "client-secret"
# What a client that names no scopes is registered for. Scopes of further attributes are asked for by name: nobody gets allergies by accident.
STANDARD_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access")


def known_scopes() -> tuple[str, ...]:
    """The standard scopes and those of the profile's attributes (OIDC Core 5.4)."""
    return (*STANDARD_SCOPES, *(scope for scope in scope_claims() if scope not in STANDARD_SCOPES))


@dataclass(frozen=True, slots=True)
class SecretHash:
    """One accepted secret of a client."""

    salt: bytes
    digest: bytes
    expires_at: datetime | None
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Encryption:
    """How something is encrypted to a client's key (RFC 7518 4.1 `alg`, 5.1 `enc`)."""

    alg: str
    enc: str


def _encryption(meta: dict[str, Any], kind: str) -> Encryption | None:
    # OpenID Registration 2: enc defaults to A128CBC-HS256 when alg is given.
    alg = meta.get(f"{kind}_encrypted_response_alg")
    return Encryption(alg, meta.get(f"{kind}_encrypted_response_enc", "A128CBC-HS256")) if alg else None


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """What a client may do. Immutable, cached per process, rebuilt when any client changes."""

    pk: int
    client_id: str
    name: str
    profile: str
    first_party: bool
    application_type: str
    auth_method: str
    secrets: tuple[SecretHash, ...]
    redirect_uris: frozenset[str]
    default_redirect_uri: str | None
    post_logout_redirect_uris: frozenset[str]
    grant_types: frozenset[str]
    response_types: frozenset[frozenset[str]]
    scopes: frozenset[str]
    resources: frozenset[str]
    origins: frozenset[str]
    id_token_alg: str
    id_token_encryption: Encryption | None
    userinfo_alg: str | None
    userinfo_encryption: Encryption | None
    request_object_alg: str | None
    assertion_alg: str | None
    request_uris: frozenset[str]
    jwks: tuple[dict[str, Any], ...]
    jwks_uri: str
    frontchannel_logout_uri: str
    backchannel_logout_uri: str
    subject_type: str
    sector: str
    access_token_alg: str
    access_token_format: str
    access_token_seconds: int
    default_max_age: int | None
    require_auth_time: bool
    default_acr_values: tuple[str, ...]
    min_acr: str
    enrolment: str
    allow_trusted_browser: bool
    logo: str
    client_uri: str
    policy_uri: str
    tos_uri: str
    verified: bool
    identity_providers: tuple[str, ...] | None
    brand_colour: str
    brand_radius: int | None

    @classmethod
    def of(cls, client: Client, secrets: Iterable[SecretHash], *, logo: str = "") -> ClientPolicy:
        """Join the row with the server's settings."""
        meta: dict[str, Any] = client.metadata
        uris = tuple(client.redirect_uris.split())
        return cls(
            pk=client.pk,
            client_id=client.client_id,
            name=client.name,
            profile=client.profile,
            first_party=client.first_party,
            application_type=meta.get("application_type", "web"),
            auth_method=client.token_endpoint_auth_method,
            secrets=tuple(secrets),
            redirect_uris=frozenset(uris),
            default_redirect_uri=uris[0] if len(uris) == 1 else None,
            post_logout_redirect_uris=frozenset(client.post_logout_redirect_uris.split()),
            grant_types=frozenset(meta.get("grant_types", ())),
            response_types=frozenset(frozenset(value.split()) for value in meta.get("response_types", ())),
            scopes=frozenset(meta.get("scope", "").split()),
            resources=frozenset(meta.get("resources", ())),
            origins=frozenset(client.allowed_origins.split()),
            id_token_alg=meta.get("id_token_signed_response_alg", "RS256"),
            id_token_encryption=_encryption(meta, "id_token"),
            userinfo_alg=meta.get("userinfo_signed_response_alg"),
            userinfo_encryption=_encryption(meta, "userinfo"),
            request_object_alg=meta.get("request_object_signing_alg"),
            assertion_alg=meta.get("token_endpoint_auth_signing_alg"),
            request_uris=frozenset(meta.get("request_uris", ())),
            jwks=tuple(meta.get("jwks", {}).get("keys", ())),
            jwks_uri=meta.get("jwks_uri", ""),
            frontchannel_logout_uri=meta.get("frontchannel_logout_uri", ""),
            backchannel_logout_uri=meta.get("backchannel_logout_uri", ""),
            subject_type=meta.get("subject_type", "public"),
            sector=urlsplit(meta.get("sector_identifier_uri") or (uris[0] if uris else "")).hostname or "",
            access_token_alg=meta.get("access_token_alg", "ES256"),
            access_token_format=meta.get("access_token_format", "jwt"),
            access_token_seconds=meta.get("access_token_seconds") or settings.IDP.access_token_seconds,
            default_max_age=meta.get("default_max_age"),
            require_auth_time=bool(meta.get("require_auth_time", False)),
            default_acr_values=tuple(meta.get("default_acr_values", ())),
            min_acr=meta.get("min_acr", ""),
            enrolment=meta.get("enrolment", "inline"),
            allow_trusted_browser=bool(meta.get("allow_trusted_browser", False)),
            logo=logo and f"/client-logo/{logo}",
            client_uri=meta.get("client_uri", ""),
            policy_uri=meta.get("policy_uri", ""),
            tos_uri=meta.get("tos_uri", ""),
            verified=client.registration_source == Client.RegistrationSource.MANUAL,
            identity_providers=tuple(meta["identity_providers"]) if "identity_providers" in meta else None,
            brand_colour=meta.get("brand_colour", ""),
            brand_radius=meta.get("brand_radius"),
        )

    @property
    def public(self) -> bool:
        """Without credentials of its own (RFC 6749 2.1)."""
        return self.auth_method == "none"

    @property
    def classic(self) -> bool:
        """Held to classic OpenID Connect, with what certification of it needs, and nothing more."""
        return self.profile == Client.Profile.OIDC

    @property
    def pkce_required(self) -> bool:
        """RFC 9700 2.1.1: public clients always; every client outside the classic OpenID Connect profile."""
        return not self.classic or (self.public and not settings.IDP.pkce_optional)

    def allows_redirect_uri(self, uri: str) -> bool:
        """RFC 9700 2.1: exact string comparison; RFC 8252 7.3: any port on a registered loopback address."""
        if uri in self.redirect_uris:
            return True
        if self.application_type != "native":
            return False
        without_port = redirect_uris.loopback_without_port(uri)
        return without_port is not None and any(redirect_uris.loopback_without_port(known) == without_port for known in self.redirect_uris)

    def allows_response_type(self, response_type: str) -> bool:
        """Words in any order (OAuth 2.0 Multiple Response Type Encoding Practices 3)."""
        return frozenset(response_type.split()) in self.response_types

    def secret_matches(self, secret: str, *, now: datetime) -> bool:
        """Whether `secret` is one of the accepted ones; constant time per candidate."""
        matched = False
        for known in self.secrets:
            if known.expires_at is not None and known.expires_at <= now:
                continue
            matched |= hmac.compare_digest(secret_digest(known.salt, secret), known.digest)
        return matched

    @property
    def domain(self) -> str:
        """The host that people know the app by: its home page, else where it returns to."""
        for uri in (self.client_uri, *sorted(self.redirect_uris)):
            host = urlsplit(uri).hostname
            if host:
                return host
        return ""


def secret_digest(salt: bytes, secret: str) -> bytes:
    """Salted SHA-256: enough for generated 256-bit secrets, which nobody can guess (never for chosen passwords)."""
    return hashlib.sha256(salt + secret.encode("utf-8", "surrogatepass")).digest()
