"""`manage.py webhook add|list|update|remove|rotate-secret`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import CommandError

from idp.kernel.commands import OperatorCommand
from idp.notifications import webhooks
from idp.notifications.models import Webhook


class Command(OperatorCommand):
    help = "Addresses of yours that are told of events, each as one signed POST (docs/deliveries.md)."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "add": ("Add a webhook; prints its signing key, once.", "arguments_add", "add"),
        "list": ("List webhooks.", "arguments_none", "list_webhooks"),
        "update": ("Change a webhook, switch it off or on.", "arguments_update", "update"),
        "remove": ("Remove a webhook with everything that waits for it.", "arguments_one", "remove"),
        "rotate-secret": ("A new signing key; the former one signs too, until the next time.", "arguments_rotate", "rotate"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """No further argument."""

    def arguments_one(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", type=UUID)

    def arguments_add(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL")
        self._members(parser)

    def arguments_update(self, parser: ArgumentParser) -> None:
        self.arguments_one(parser)
        parser.add_argument("--url")
        self._members(parser)
        switch = parser.add_mutually_exclusive_group()
        switch.add_argument("--enable", dest="enabled", action="store_true", default=None)
        switch.add_argument("--disable", dest="enabled", action="store_false", default=None)

    def arguments_rotate(self, parser: ArgumentParser) -> None:
        self.arguments_one(parser)
        parser.add_argument("--drop-former", action="store_true", help="the former key got out: sign with the new one only")

    def _members(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--event", dest="events", action="append", metavar="NAME", help="repeat; account.* or * also (default: account.*)"
        )
        parser.add_argument("--name", help="default: the host of the address")
        parser.add_argument("--contact", metavar="E-MAIL", help="who is told when it is switched off because it fails")

    def add(self, options: dict[str, Any]) -> dict[str, Any]:
        url = options["url"]
        try:
            row, key = webhooks.add(
                name=options["name"] or url.partition("://")[2].partition("/")[0][:80],
                url=url,
                events=options["events"] or ["account.*"],
                contact=options["contact"] or "",
            )
        except webhooks.WebhookError as error:
            raise CommandError(str(error)) from None
        return {**webhooks.described(row), "secret": key}

    def list_webhooks(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"webhooks": [webhooks.described(row) for row in Webhook.objects.all()]}

    def update(self, options: dict[str, Any]) -> dict[str, Any]:
        row = _find(options["id"])
        changes = {name: options[name] for name in ("url", "events", "name", "contact", "enabled") if options[name] is not None}
        try:
            webhooks.update(row, changes)
        except webhooks.WebhookError as error:
            raise CommandError(str(error)) from None
        return webhooks.described(row)

    def remove(self, options: dict[str, Any]) -> dict[str, Any]:
        row = _find(options["id"])
        webhooks.remove(row)
        return {"removed": str(options["id"])}

    def rotate(self, options: dict[str, Any]) -> dict[str, Any]:
        row = _find(options["id"])
        return {"id": str(row.pk), "secret": webhooks.rotate_key(row, drop_former=options["drop_former"])}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        if subcommand != "list":
            super().show(subcommand, answer)
            return
        for row in answer["webhooks"]:
            state = "on" if row["enabled"] else "off"
            self.stdout.write(f"{row['id']}  {state}  {row['name']}  {row['url']}  {' '.join(row['events'])}")


def _find(pk: UUID) -> Webhook:
    row = Webhook.objects.filter(pk=pk).first()
    if row is None:
        raise CommandError("There is no webhook with this id.")
    return row
