"""client_secret_post: the secret in the body (RFC 6749 2.3.1)."""

from __future__ import annotations

from idp.kernel.clock import now
from idp.oidc.client_auth.presented import BackChannelRequest, Presented
from idp.oidc.clients.policy import ClientPolicy


def find(request: BackChannelRequest) -> Presented | None:
    """The credentials in the body, or None."""
    secret = request.form.get("client_secret")
    return None if secret is None else Presented("client_secret_post", request.form.get("client_id", ""), secret)


def prove(client: ClientPolicy, presented: Presented, request: BackChannelRequest) -> bool:
    """Whether it is one of the client's accepted secrets. No SQL."""
    return bool(presented.secret) and client.secret_matches(presented.secret, now=now())
