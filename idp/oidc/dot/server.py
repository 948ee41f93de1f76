"""oauthlib's server with our grants: it dispatches, the rooms decide."""

from __future__ import annotations

from typing import Any

from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.grant_types.base import GrantTypeBase
from oauthlib.openid import Server as OpenIDServer

from idp.oidc.protocol import response_types
from idp.oidc.token import pipeline

# The private names of oauthlib 4.0.1 that we set; `idp.oidc.dot.checks` refuses to start when one is gone.
PRIVATE_NAMES = ("_response_types", "_grant_types", "_default_token_type", "_tokens")


class TokenGrant(GrantTypeBase):
    """Hands a token request to the pipeline."""

    def create_token_response(self, request: Request, token_handler: Any) -> tuple[dict[str, str], Any, int]:
        return {}, pipeline.answer(request.extra_credentials["parsed"]), 200


class AuthorizationResponse(GrantTypeBase):
    """Issues what the dispatcher decided on."""

    def create_authorization_response(self, request: Request, token_handler: Any) -> tuple[dict[str, str], Any, int]:
        return {}, request.issue(), 302


class Server(OpenIDServer):
    """Only the grants of the GRANTS table and the response types that are offered; no implicit, no password, no ID token as bearer."""

    def __init__(self, request_validator: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(request_validator, *args, **kwargs)
        self._grant_types = {name: TokenGrant(request_validator) for name in pipeline.GRANTS}
        self._default_grant_type = "authorization_code"
        self._response_types = {name: AuthorizationResponse(request_validator) for name in response_types.SUPPORTED}
        self._tokens: dict[
            str, Any
        ] = {}  # bearer tokens are read by idp.oidc.issuance.access_token: the engine's own route takes ID tokens for access
