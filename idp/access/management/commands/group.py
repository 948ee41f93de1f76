"""`manage.py group create|update|list|show|add|remove|delete`: groups of people, for the operator."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import CommandError
from django.db import transaction

from idp.access import groups
from idp.access.models import Group
from idp.accounts.management.commands.user import find as find_person
from idp.kernel.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Make groups, say how strongly their members must sign in, put people in and out."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "create": ("Make a group.", "arguments_create", "create"),
        "update": ("Change a group: what is not named stays.", "arguments_update", "update"),
        "list": ("List all groups.", "arguments_none", "list_groups"),
        "show": ("Show a group with its members.", "arguments_group", "show_group"),
        "add": ("Put people into a group.", "arguments_people", "add"),
        "remove": ("Put people out of a group.", "arguments_people", "remove"),
        "delete": ("Delete a group; the people stay.", "arguments_group", "delete"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_group(self, parser: ArgumentParser) -> None:
        parser.add_argument("group", metavar="GROUP", help="its name")

    def arguments_people(self, parser: ArgumentParser) -> None:
        self.arguments_group(parser)
        parser.add_argument("people", metavar="PERSON", nargs="+", help="e-mail address or sub")

    def arguments_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the groups claim says, for example team/finance")
        self._members(parser)

    def arguments_update(self, parser: ArgumentParser) -> None:
        self.arguments_group(parser)
        parser.add_argument("--name", metavar="NAME", help="another name")
        self._members(parser)

    def _members(self, parser: ArgumentParser) -> None:
        parser.add_argument("--description", metavar="TEXT", help="for staff only")
        parser.add_argument("--min-acr", choices=["", *groups.LEVELS], help="weakest acr with which members sign in; '' = any")
        parser.add_argument(
            "--trusted-browsers", choices=["yes", "no"], help="whether a trusted browser spares members the second step (default yes)"
        )

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return described(groups.create(name=options["name"], **_values(options)))
        except groups.GroupError as error:
            raise CommandError(str(error)) from None

    def update(self, options: dict[str, Any]) -> dict[str, Any]:
        values = _values(options)
        if options["name"] is not None:
            values["name"] = options["name"]
        if not values:
            raise CommandError("Name at least one thing to change.")
        group = find(options["group"])
        try:
            groups.change(group, **values)
        except groups.GroupError as error:
            raise CommandError(str(error)) from None
        group.refresh_from_db()
        return described(group)

    def list_groups(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"groups": [described(group) for group in Group.objects.order_by("name")]}

    def show_group(self, options: dict[str, Any]) -> dict[str, Any]:
        group = find(options["group"])
        people = group.memberships.select_related("user").order_by("created_at", "pk")
        return {**described(group), "people": [{"sub": str(entry.user_id), "email": entry.user.email} for entry in people]}

    def add(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._each(options, groups.add)

    def remove(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._each(options, groups.remove)

    def _each(self, options: dict[str, Any], act: Any) -> dict[str, Any]:
        group = find(options["group"])
        people = [find_person(person) for person in options["people"]]  # all of them are there, or nothing is done
        with transaction.atomic():
            for person in people:
                act(group, person)
        return described(group)

    def delete(self, options: dict[str, Any]) -> dict[str, Any]:
        group = find(options["group"])
        groups.delete(group)
        return {"name": group.name, "deleted": True}


def find(name: str) -> Group:
    """The group of this name. Raises CommandError."""
    group = Group.objects.filter(name=name).first() if "\x00" not in name else None
    if group is None:
        raise CommandError("There is no group of this name.")
    return group


def described(group: Group) -> dict[str, Any]:
    """What the operator sees."""
    return {
        "name": group.name,
        "description": group.description,
        "min_acr": group.min_acr,
        "trusted_browsers": group.trusted_browsers,
        "people_count": group.memberships.count(),
    }


def _values(options: dict[str, Any]) -> dict[str, Any]:
    values = {name: options[name] for name in ("description", "min_acr") if options[name] is not None}
    if options["trusted_browsers"] is not None:
        values["trusted_browsers"] = options["trusted_browsers"] == "yes"
    return values
