"""`manage.py invitation create|list|revoke`: who may make an account where not everybody may (`IDP_SIGNUP=invitation`)."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from idp.accounts import invitations
from idp.accounts.models import Invitation
from idp.kernel.commands import OperatorCommand

MOST_DAYS = 365
MOST_LISTED = 1000


class Command(OperatorCommand):
    help = "Create, list and revoke invitations."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "create": ("Create an invitation; its link is shown once, works once, and is for you to send.", "arguments_create", "create"),
        "list": ("List the invitations that can still be used.", "arguments_list", "list_open"),
        "revoke": ("Make an invitation worthless.", "arguments_revoke", "revoke"),
    }

    def arguments_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", dest="address", default="", metavar="ADDRESS", help="only for this e-mail address or phone number")
        parser.add_argument("--days", type=_days, default=invitations.DAYS, help=f"for how long it works (default {invitations.DAYS})")

    def arguments_list(self, _parser: ArgumentParser) -> None:
        pass

    def arguments_revoke(self, parser: ArgumentParser) -> None:
        parser.add_argument("invitation", help="the id that `create` and `list` show")

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            invitation, link = invitations.create(address=options["address"], days=options["days"])
        except ValidationError as error:
            raise CommandError(f"--for: {error.messages[0]}") from None
        return {**described(invitation), "link": link}

    def list_open(self, _options: dict[str, Any]) -> dict[str, Any]:
        return {"invitations": [described(one) for one in invitations.usable().order_by("created_at")[:MOST_LISTED]]}

    def revoke(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            gone = invitations.revoke(UUID(options["invitation"]))
        except ValueError:
            gone = False
        if not gone:
            raise CommandError("There is no such invitation that could still be used.")
        return {"id": options["invitation"], "revoked": True}


def described(invitation: Invitation) -> dict[str, Any]:
    """What the operator sees of an invitation; its link is not kept."""
    return {"id": str(invitation.pk), "for": invitation.address or None, "expires_at": _text(invitation.expires_at)}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= MOST_DAYS:
        raise ArgumentTypeError(f"a whole number from 1 to {MOST_DAYS}")
    return int(text)
