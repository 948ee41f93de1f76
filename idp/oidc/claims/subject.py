"""The one place that decides a person's `sub` for a client (OIDC Core 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from idp.oidc.clients.policy import ClientPolicy


def subject_for(client: ClientPolicy, user_id: UUID) -> str:
    """The subject identifier: the person's UUID, the same for every client (subject type public)."""
    return str(user_id)


def user_id_of(client: ClientPolicy, subject: str) -> UUID | None:
    """The inverse of `subject_for`, or None for a text that is no subject of ours."""
    try:
        user_id = UUID(subject)
    except ValueError:
        return None
    return user_id if str(user_id) == subject else None
