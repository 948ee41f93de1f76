"""none: a public client that only names itself (RFC 6749 3.2.1)."""

from __future__ import annotations

from idp.oidc.client_auth.presented import BackChannelRequest, Presented


def find(request: BackChannelRequest) -> Presented | None:
    """The bare client_id, or None."""
    client_id = request.form.get("client_id")
    return None if client_id is None else Presented("none", client_id)
