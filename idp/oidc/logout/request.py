"""The end_session request, parsed and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from idp.kernel import jose
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance import id_token_hint
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

if TYPE_CHECKING:
    from idp.sessions.models import BrowserSession


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A request that may be honoured: `redirect_uri` is set only when it is registered and the hint proved the client."""

    client: ClientPolicy | None
    hint: dict[str, Any] | None
    redirect_uri: str | None
    state: str | None

    def speaks_of(self, session: BrowserSession) -> bool:
        """Whether the hint is about the person who is signed in in this browser (RP-Initiated Logout 4)."""
        return self.hint is not None and self.client is not None and self.hint["sub"] == subject_for(self.client, session.person.pk)


def parse(pairs: list[tuple[str, str]]) -> LogoutRequest:
    """RP-Initiated Logout 2. Raises OAuthError, always to be shown on a page: an unproved redirect URI gets nothing."""
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise OAuthError(refusals.DUPLICATE_PARAMETER, name[:40])
        parameters[name] = value
    hint = _hint(parameters.get("id_token_hint"))
    client = _client(parameters.get("client_id"), hint)
    redirect_uri = parameters.get("post_logout_redirect_uri")
    if redirect_uri is not None:
        # 3: exactly a registered value; 2: without a valid hint nothing proves who asks, so nobody is sent anywhere.
        if client is not None and redirect_uri not in client.post_logout_redirect_uris:
            raise OAuthError(refusals.POST_LOGOUT_REDIRECT_URI_MISMATCH)
        if hint is None:
            redirect_uri = None
    return LogoutRequest(client=client, hint=hint, redirect_uri=redirect_uri, state=parameters.get("state"))


def _hint(token: str | None) -> dict[str, Any] | None:
    if token is None:
        return None
    try:
        return id_token_hint.read(token)
    except jose.TokenRefused as error:
        raise OAuthError(refusals.LOGOUT_HINT_INVALID, str(error)) from None


def _client(client_id: str | None, hint: dict[str, Any] | None) -> ClientPolicy | None:
    if hint is not None:
        # 2: when both are there, the hint must have been issued to the client.
        if client_id is not None and client_id != hint["aud"]:
            raise OAuthError(refusals.LOGOUT_HINT_INVALID, "client_id is not the audience")
        client_id = str(hint["aud"])
    if client_id is None:
        return None
    client = cache.get(client_id)
    if client is None:
        raise OAuthError(refusals.CLIENT_UNKNOWN)
    return client
