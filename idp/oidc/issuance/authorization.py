"""`Authorization`: what any grant ends in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from idp.accounts.models import User
    from idp.oidc.clients.policy import ClientPolicy


@dataclass(frozen=True, slots=True)
class Authentication:
    """The snapshot of how and when the person authenticated; it travels with code, family and tokens, and is never raised."""

    auth_time: datetime
    acr: str
    amr: tuple[str, ...]
    sid: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """Who may get what. `user`, `family_id` and `authentication` are None for a client's own token (client_credentials)."""

    client: ClientPolicy
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    user: User | None = None
    family_id: UUID | None = None
    authentication: Authentication | None = None
    nonce: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    refresh_token: str | None = None
    issued_token_type: str | None = None


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The members of a successful token response (RFC 6749 5.1)."""

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str | None = None
    id_token: str | None = None
    issued_token_type: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The response body; absent members are left out."""
        body: dict[str, Any] = {"access_token": self.access_token, "token_type": "Bearer", "expires_in": self.expires_in}
        if self.scope:
            body["scope"] = self.scope
        if self.refresh_token is not None:
            body["refresh_token"] = self.refresh_token
        if self.id_token is not None:
            body["id_token"] = self.id_token
        if self.issued_token_type is not None:  # RFC 8693 2.2.1
            body["issued_token_type"] = self.issued_token_type
        return body
