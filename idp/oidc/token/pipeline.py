"""The order of checks of the token endpoint, and the GRANTS table.

    parse -> grant type known -> client authenticated -> grant allowed -> [prove, consume] -> mint -> save

"Save" is part of the grant's own transaction: a token whose family is not committed is never sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from idp.kernel.clock import now
from idp.oidc.client_auth.authenticate import authenticate
from idp.oidc.client_auth.presented import BackChannelRequest
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance.authorization import Authorization, TokenSet
from idp.oidc.issuance.mint import mint
from idp.oidc.models import Client
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from .context import GrantContext
from .grants import authorization_code, client_credentials, refresh_token, token_exchange


@dataclass(frozen=True, slots=True)
class Grant:
    """How a grant type is answered; `stateful` ones run in one transaction."""

    answer: Callable[[GrantContext], Authorization]
    stateful: bool


GRANTS: dict[str, Grant] = {
    "authorization_code": Grant(authorization_code.redeem, stateful=True),
    "refresh_token": Grant(refresh_token.rotate, stateful=True),
    "client_credentials": Grant(client_credentials.grant, stateful=False),
    token_exchange.GRANT_TYPE: Grant(token_exchange.exchange, stateful=False),  # brings a transaction of its own
}


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens, and the client that they are for."""

    client: ClientPolicy
    tokens: TokenSet


def answer(request: BackChannelRequest) -> Issued:
    """The tokens for a parsed request. Raises OAuthError."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        raise OAuthError(refusals.GRANT_TYPE_MISSING)
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise OAuthError(refusals.GRANT_TYPE_UNSUPPORTED)
    client = authenticate(request)
    if client.profile == Client.Profile.FAPI2:
        raise OAuthError(refusals.PROFILE_NOT_BUILT)
    if grant_type not in client.grant_types:
        raise OAuthError(refusals.GRANT_TYPE_NOT_ALLOWED)
    context = GrantContext(client=client, request=request, now=now())
    if not grant.stateful:
        return Issued(client, mint(grant.answer(context)))
    refused: OAuthError | None = None
    with transaction.atomic():
        try:
            tokens = mint(grant.answer(context))
        except OAuthError as error:
            # A refusal commits: a code that was tried is burned (RFC 7636 4.6), and what a replay revoked stays revoked
            # (RFC 6749 4.1.2, RFC 9700 4.14.2). Anything unforeseen rolls back and consumes nothing.
            refused = error
    if refused is not None:
        raise refused
    return Issued(client, tokens)
