"""`AuthorizationRequest` and the way from raw parameters to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.models import Client
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.response_types import RESPONSE_MODES, default_mode
from idp.oidc.protocol.words import words


@dataclass(frozen=True, slots=True)
class RawRequest:
    """Parameters as they arrived: each at most once, `duplicates` names those that broke the rule, `resources` may repeat."""

    parameters: Mapping[str, str]
    resources: tuple[str, ...] = ()
    duplicates: frozenset[str] = frozenset()

    @classmethod
    def of_pairs(cls, found: list[tuple[str, str]]) -> RawRequest:
        """From decoded name and value pairs."""
        parameters: dict[str, str] = {}
        duplicates: set[str] = set()
        resources: list[str] = []
        for name, value in found:
            if name == "resource":
                resources.append(value)
            elif name in parameters:
                duplicates.add(name)
            else:
                parameters[name] = value
        return cls(parameters, tuple(resources), frozenset(duplicates))

    def stored(self) -> dict[str, Any]:
        """For an interaction: enough to start the very same request again."""
        return {**self.parameters, "resource": list(self.resources)} if self.resources else dict(self.parameters)

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> RawRequest:
        """The inverse of `stored`."""
        resources = tuple(stored.get("resource", ()))
        return cls({name: value for name, value in stored.items() if name != "resource"}, resources)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer may go: known client, allowed redirect URI. Past this point errors are redirected (RFC 6749 4.1.2.1)."""

    client: ClientPolicy
    redirect_uri: str
    redirect_uri_sent: bool
    response_mode: str
    state: str | None


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that passed every check which needs no person."""

    target: Target
    raw: RawRequest
    response_type: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    prompt: frozenset[str]
    max_age: int | None
    nonce: str
    claims: Mapping[str, dict[str, Any]]
    acr_values: tuple[str, ...]
    hinted_subject: str | None
    code_challenge: str

    @property
    def client(self) -> ClientPolicy:
        return self.target.client


def target(raw: RawRequest) -> Target:
    """The part whose failure must be shown on a page, never redirected (RFC 6749 4.1.2.1, RFC 9700 4.11.2). Raises OAuthError."""
    if not raw.duplicates.isdisjoint(("client_id", "redirect_uri")):
        raise OAuthError(refusals.DUPLICATE_PARAMETER, "client_id or redirect_uri")
    client_id = raw.parameters.get("client_id")
    if client_id is None:
        raise OAuthError(refusals.CLIENT_ID_MISSING)
    client = cache.get(client_id)
    if client is None:
        raise OAuthError(refusals.CLIENT_UNKNOWN)
    if not client.response_types:
        raise OAuthError(refusals.GRANT_TYPE_NOT_ALLOWED)
    if client.profile == Client.Profile.FAPI2:
        raise OAuthError(refusals.PROFILE_NOT_BUILT)
    redirect_uri = raw.parameters.get("redirect_uri")
    if redirect_uri is None:
        # RFC 6749 3.1.2.3 allows the only registered one; OIDC Core 3.1.2.1 requires the parameter.
        if "openid" in words(raw.parameters.get("scope", "")) or client.default_redirect_uri is None:
            raise OAuthError(refusals.REDIRECT_URI_MISSING)
        redirect_uri = client.default_redirect_uri
    elif not client.allows_redirect_uri(redirect_uri):
        raise OAuthError(refusals.REDIRECT_URI_MISMATCH)
    response_type = raw.parameters.get("response_type")
    # Clients that never get tokens through the browser hear every refusal in the query (hostile case AR-02).
    default = default_mode(response_type) if client.classic else "query"
    mode = raw.parameters.get("response_mode", default)
    if mode not in RESPONSE_MODES or (mode == "query" and default == "fragment"):
        # A mode that cannot be used cannot carry its own error either: that goes the default way (Multiple Response Types 2.1).
        mode = default
    return Target(
        client=client,
        redirect_uri=redirect_uri,
        redirect_uri_sent="redirect_uri" in raw.parameters,
        response_mode=mode,
        state=None if "state" in raw.duplicates else raw.parameters.get("state"),
    )
