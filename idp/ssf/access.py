"""Who may manage streams: a client in its own name, with one of our access tokens (CAEP Interoperability Profile 1.0 2.7)."""

from __future__ import annotations

from django.conf import settings

from idp.kernel import jose
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance import access_token
from idp.oidc.revocation.denied import is_denied

MANAGE = "ssf.manage"
READ = "ssf.read"


class Denied(Exception):
    """No entry: `status` 401 or 403, `error` a word of RFC 6750 3.1 (empty: nothing was presented)."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def client_of(authorization: str, *, scopes: tuple[str, ...]) -> ClientPolicy:
    """The client that a bearer token stands for, with one of `scopes`. Raises Denied.

    Only a client's own token (client credentials), only of a client that the operator registered: whoever registers by itself
    could name any scope.
    """
    scheme, _, token = authorization.partition(" ")
    if not authorization or scheme.lower() != "bearer":
        raise Denied(401, "")
    try:
        claims = access_token.read(token.strip())
    except jose.TokenRefused:
        raise Denied(401, "invalid_token") from None
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    client = cache.get(str(claims.get("client_id")))
    # A token that is bound to a key (`cnf`) proves nothing without that key.
    if settings.IDP.issuer not in audience or client is None or "cnf" in claims or is_denied(claims["jti"]):
        raise Denied(401, "invalid_token")
    granted = set(claims.get("scope", "").split())
    if "fid" in claims or not client.verified or granted.isdisjoint(scopes):
        raise Denied(403, "insufficient_scope")
    return client
