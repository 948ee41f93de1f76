"""The apps that a person has given access to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.consent import agreement, wording
from idp.interactions import ClientCard

if TYPE_CHECKING:
    from datetime import datetime

    from idp.accounts.models import User


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One line of the page "Apps with access"."""

    client_id: str
    client: ClientCard
    since: datetime
    items: list[wording.Item]


def apps(user: User) -> list[ConnectedApp]:
    """Apps that hold this person's consent, newest first. One query."""
    return [
        ConnectedApp(
            client_id=row.client_id,
            client=ClientCard(name=row.client_name),
            since=row.given_at,
            items=wording.items(scopes=row.scopes, claims=row.claims, resources=row.resources),
        )
        for row in agreement.granted(user)
    ]
