"""private_key_jwt: an assertion signed with the client's own key (OIDC Core 9, RFC 7523)."""

from __future__ import annotations

from idp.kernel import jose
from idp.oidc.client_auth import assertion
from idp.oidc.client_auth.presented import BackChannelRequest, Presented
from idp.oidc.clients import keys
from idp.oidc.clients.policy import ClientPolicy


def find(request: BackChannelRequest) -> Presented | None:
    """An assertion that is not HS256, or None."""
    presented = assertion.find(request)
    return presented if presented is not None and presented.method == "private_key_jwt" else None


def prove(client: ClientPolicy, presented: Presented, request: BackChannelRequest) -> bool:
    """Signed by a registered key with the registered algorithm, fresh, for us, never seen. One INSERT when it is."""
    algorithms = (client.assertion_alg,) if client.assertion_alg else jose.FOREIGN_ALGORITHMS
    try:
        assertion.check(keys.verify(client, presented.secret, algorithms=algorithms), client, request)
    except jose.TokenRefused:
        return False
    return True
