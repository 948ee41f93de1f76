"""Between Django's request and oauthlib's server."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from oauth2_provider.oauth2_backends import OAuthLibCore

from idp.oidc.client_auth.presented import BackChannelRequest
from idp.oidc.token.pipeline import Issued


class Core(OAuthLibCore):
    """Hands over what the border has parsed; the engine never parses a request a second time."""

    def token(self, parsed: BackChannelRequest) -> Issued:
        """Tokens, through the server's dispatch. Raises OAuthError."""
        body = urlencode({"grant_type": parsed.form.get("grant_type", "")})
        issued: Issued
        _, issued, _ = self.server.create_token_response("/token", "POST", body, {}, {"parsed": parsed})
        return issued

    def authorization(self, issue: Callable[[], dict[str, str]], response_type: str) -> dict[str, str]:
        """The members of a successful authorization response, through the server's dispatch."""
        credentials = {"response_type": response_type, "issue": issue}
        _, members, _ = self.server.create_authorization_response("/authorize", "GET", None, {}, [], credentials)
        return dict(members)
