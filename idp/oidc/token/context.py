"""What a grant is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idp.oidc.client_auth.presented import BackChannelRequest
    from idp.oidc.clients.policy import ClientPolicy


@dataclass(frozen=True, slots=True)
class GrantContext:
    """The authenticated client, its parsed request, and the moment that counts for all of it."""

    client: ClientPolicy
    request: BackChannelRequest
    now: datetime
