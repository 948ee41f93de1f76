"""`manage.py staff grant|revoke|list`: who may use the staff console."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.accounts import staff
from idp.accounts.management.commands.user import find
from idp.kernel.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Say who may use the staff console at /staff/."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "grant": ("Let a person into the staff console.", "arguments_person", "grant"),
        "revoke": ("Shut a person out of the staff console, at once.", "arguments_person", "revoke"),
        "list": ("List who may use the staff console.", "arguments_none", "list_staff"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_person(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", help="e-mail address or sub")

    def grant(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        if not user.is_active:
            raise CommandError("The account is disabled. Enable it first.")
        staff.grant(user)
        return {"sub": str(user.pk), "email": user.email, "staff": True}

    def revoke(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        staff.revoke(user)
        return {"sub": str(user.pk), "email": user.email, "staff": False}

    def list_staff(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"staff": [{"sub": str(user.pk), "email": user.email, "active": user.is_active} for user in staff.everybody()]}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        """One person per line."""
        if subcommand != "list":
            super().show(subcommand, answer)
            return
        for row in answer["staff"]:
            self.stdout.write(f"{row['email'] or '(no address)'}  {row['sub']}{'' if row['active'] else '  (disabled)'}")
        if not answer["staff"]:
            self.stdout.write("Nobody. Let somebody in with: manage.py staff grant EMAIL")
