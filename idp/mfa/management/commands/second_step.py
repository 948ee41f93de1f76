"""`manage.py second_step show|reset`: for the day when somebody has lost their phone and their recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from idp.accounts.management.commands.user import find
from idp.accounts.models import User
from idp.kernel.commands import OperatorCommand
from idp.mfa import factors


class Command(OperatorCommand):
    help = "Show and reset what a person confirms their sign-in with beside the password."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "show": ("Show how many authenticator apps and unused recovery codes a person has.", "arguments_person", "show_person"),
        "reset": (
            "Remove all of them, after you have made sure who asks; ends sessions and refresh tokens and tells the person by mail.",
            "arguments_person",
            "reset",
        ),
    }

    def arguments_person(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", help="e-mail address or sub")

    def show_person(self, options: dict[str, Any]) -> dict[str, Any]:
        return described(find(options["person"]))

    def reset(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        factors.reset(user)
        return described(user)


def described(user: User) -> dict[str, Any]:
    """What the operator sees: numbers, no names."""
    return {
        "sub": str(user.pk),
        "authenticator_apps": len(factors.of_person(user)),
        "recovery_codes_left": factors.codes_left(user) or 0,
    }
