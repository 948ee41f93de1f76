"""The invitation that a browser brought along, until an account was made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from idp.accounts import invitations

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import Invitation

KEY = "invitation"


def keep(request: HttpRequest, invitation: Invitation) -> None:
    """Remember it in this browser's session."""
    request.session[KEY] = str(invitation.pk)


def held_id(request: HttpRequest) -> UUID | None:
    """Which one was brought along, whatever became of it."""
    held = request.session.get(KEY)
    return UUID(held) if held else None


def held(request: HttpRequest) -> Invitation | None:
    """The one that was brought along, if it can still be used."""
    known = held_id(request)
    return invitations.get(known) if known is not None else None


def forget(request: HttpRequest) -> None:
    """An account was made."""
    request.session.pop(KEY, None)
