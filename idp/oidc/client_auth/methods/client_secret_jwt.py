"""client_secret_jwt: an assertion under HS256 with the client's secret (OIDC Core 9, RFC 7523)."""

from __future__ import annotations

from idp.kernel import jose, sealing
from idp.kernel.clock import now
from idp.oidc.client_auth import assertion
from idp.oidc.client_auth.presented import BackChannelRequest, Presented
from idp.oidc.clients.policy import SECRET_PURPOSE, ClientPolicy


def find(request: BackChannelRequest) -> Presented | None:
    """An HS256 assertion, or None."""
    presented = assertion.find(request)
    return presented if presented is not None and presented.method == "client_secret_jwt" else None


def prove(client: ClientPolicy, presented: Presented, request: BackChannelRequest) -> bool:
    """Signed with one of the accepted secrets, fresh, for us, never seen. One INSERT when it is."""
    moment = now()
    for known in client.secrets:
        if not known.sealed or (known.expires_at is not None and known.expires_at <= moment):
            continue
        secret = sealing.unseal(known.sealed, purpose=SECRET_PURPOSE).decode()
        try:
            assertion.check(jose.verify_symmetric(presented.secret, secret), client, request)
        except jose.TokenRefused:
            continue
        return True
    return False
