"""The apps that a person has given access to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.consent import agreement, wording
from idp.interactions.paused import ClientCard
from idp.oidc.authorization.dispatch import card
from idp.oidc.clients import cache
from idp.oidc.revocation.consent import take_back

if TYPE_CHECKING:
    from datetime import datetime

    from idp.accounts.models import User
    from idp.consent.models import Consent


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One line of the page "Apps with access"."""

    client_id: str
    client: ClientCard
    since: datetime
    items: list[wording.Item]


def apps(user: User) -> list[ConnectedApp]:
    """Apps that hold this person's consent, newest first."""
    return [
        ConnectedApp(
            client_id=row.client_id,
            client=_card(row),
            since=row.given_at,
            items=wording.items(scopes=row.scopes, claims=row.claims, resources=row.resources),
        )
        for row in agreement.granted(user)
    ]


def disconnect(*, user: User, client_id: str) -> str | None:
    """Take consent back and end the app's tokens at once. The app's name, or None when it had no access."""
    names = {row.client_id: row.client_name for row in agreement.granted(user)}
    return names.get(client_id) if take_back(user=user, client_id=client_id) else None


def _card(row: Consent) -> ClientCard:
    client = cache.get(row.client_id)
    if client is None:  # the client is gone; what it was called when the person agreed is still true
        return ClientCard(name=row.client_name)
    return card(client)
