"""The one place that decides a person's `sub` for a client (OIDC Core 8)."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from uuid import UUID

from idp.kernel.jose import b64encode
from idp.oidc.keys import pairwise

if TYPE_CHECKING:
    from idp.oidc.clients.policy import ClientPolicy


def subject_for(client: ClientPolicy, user_id: UUID) -> str:
    """The subject identifier: the person's UUID, or one per sector that nobody can link to another (OIDC Core 8.1)."""
    if client.subject_type == "public":
        return str(user_id)
    mac = hmac.new(pairwise.salt(), f"{client.sector}|{user_id}".encode(), hashlib.sha256)
    return b64encode(mac.digest())
