"""client_credentials (RFC 6749 4.4): a client in its own name. No SQL, no write, no refresh token (4.4.3)."""

from __future__ import annotations

from idp.oidc.issuance.authorization import Authorization
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.words import words
from idp.oidc.resource_indicators.checks import audience
from idp.oidc.token.context import GrantContext

# Scopes that speak of a person mean nothing for a client's own token.
PERSONAL = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


def grant(context: GrantContext) -> Authorization:
    """Scopes and resources out of the client's registration. Raises OAuthError."""
    client, request = context.client, context.request
    allowed = client.scopes - PERSONAL
    wanted = request.form.get("scope")
    scopes = words(wanted) if wanted is not None else tuple(sorted(allowed))
    # RFC 6749 3.3: a scope that the client may not have is refused, not silently left out.
    if not allowed.issuperset(scopes):
        raise OAuthError(refusals.SCOPE_NOT_ALLOWED)
    return Authorization(
        client=client, scopes=scopes, audience=audience(client, granted=tuple(sorted(client.resources)), requested=request.resources)
    )
