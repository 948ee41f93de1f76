"""`manage.py second_step show|reset|requests`: for the day when somebody has lost their phone and their recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Collection
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.accounts.management.commands.user import find
from idp.accounts.models import User
from idp.kernel.commands import OperatorCommand
from idp.mfa import factors, reset, trust
from idp.mfa.models import ResetRequest


class Command(OperatorCommand):
    help = "Show and reset what a person confirms their sign-in with beside the password."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "show": ("Show what a person holds, in numbers.", "arguments_person", "show_person"),
        "reset": (
            "Remove all of it, after you have made sure who asks; ends sessions and refresh tokens and tells the person by mail.",
            "arguments_reset",
            "reset",
        ),
        "requests": ("List resets that wait for a decision.", "arguments_none", "requests"),
    }

    reading: ClassVar[Collection[str]] = ("requests",)

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`requests` takes nothing."""

    def arguments_person(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", help="e-mail address or sub")

    def arguments_reset(self, parser: ArgumentParser) -> None:
        self.arguments_person(parser)
        parser.add_argument(
            "--reason", required=True, metavar="TEXT", help="why, and how you know that it is them; staff can read it later"
        )

    def show_person(self, options: dict[str, Any]) -> dict[str, Any]:
        return described(find(options["person"]))

    def reset(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        try:
            request = reset.ask(user, reason=options["reason"], source="command")
        except reset.NotPossible as error:
            raise CommandError(str(error)) from None
        request.refresh_from_db()
        return {"request": request.pk, "state": request.state, **described(user)}

    def requests(self, options: dict[str, Any]) -> dict[str, Any]:
        waiting = ResetRequest.objects.filter(state=ResetRequest.State.WAITING).order_by("pk")
        return {
            "requests": [
                {
                    "request": row.pk,
                    "sub": str(row.user_id),
                    "source": row.source,
                    "reason": row.reason,
                    "asked_at": row.asked_at.isoformat(),
                }
                for row in waiting
            ]
        }


def described(user: User) -> dict[str, Any]:
    """What the operator sees: numbers, no names."""
    return {
        "sub": str(user.pk),
        "authenticator_apps": len(factors.of_person(user)),
        "passkeys": len(factors.keys_of(user)),
        "phones": len(factors.phones_of(user)),
        "recovery_codes_left": factors.codes_left(user) or 0,
        "trusted_browsers": len(trust.of_person(user)),
    }
