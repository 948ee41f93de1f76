"""`manage.py deliveries list|show|retry|skip`: what is on its way out of the house, for the operator."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import CommandError

from idp.events.models import Delivery
from idp.kernel.commands import OperatorCommand
from idp.notifications import delivery


class Command(OperatorCommand):
    help = "See which messages wait, were delivered or failed for good; send failed ones again."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "list": ("List messages, newest first. What they say is never shown.", "arguments_list", "list_deliveries"),
        "show": ("Show one message's state.", "arguments_one", "show_delivery"),
        "retry": ("Send one message again, or all that are dead.", "arguments_retry", "retry"),
        "skip": ("Give a dead message up, so that later ones of the same person leave.", "arguments_one", "skip"),
    }

    def arguments_list(self, parser: ArgumentParser) -> None:
        parser.add_argument("--state", choices=Delivery.State.values, help="only these")
        parser.add_argument("--receiver", help="only this one: mail, agent, webhook …")
        parser.add_argument("--person", type=UUID, metavar="SUB", help="only what concerns this person")
        parser.add_argument("--limit", type=int, default=50, help="at most so many (default: 50)")

    def arguments_one(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", type=UUID)

    def arguments_retry(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("id", metavar="ID", type=UUID, nargs="?")
        which.add_argument("--dead", action="store_true", help="all dead messages that could still be of use")

    def list_deliveries(self, options: dict[str, Any]) -> dict[str, Any]:
        rows = Delivery.objects.order_by("-id")
        if options["state"]:
            rows = rows.filter(state=options["state"])
        if options["receiver"]:
            rows = rows.filter(receiver=options["receiver"])
        if options["person"]:
            rows = rows.filter(person=options["person"])
        return {"deliveries": [described(row) for row in rows[: max(0, options["limit"])]]}

    def show_delivery(self, options: dict[str, Any]) -> dict[str, Any]:
        row = Delivery.objects.filter(pk=options["id"]).first()
        if row is None:
            raise CommandError("There is no delivery with this id.")
        return {**described(row), "log": row.log}

    def skip(self, options: dict[str, Any]) -> dict[str, Any]:
        if not delivery.skip(options["id"]):
            raise CommandError("This delivery is not dead, or does not exist.")
        return {"skipped": str(options["id"])}

    def retry(self, options: dict[str, Any]) -> dict[str, Any]:
        dead = Delivery.objects.filter(state=Delivery.State.DEAD).exclude(payload="", event=None)
        chosen = list(dead.order_by("id").values_list("pk", flat=True)) if options["dead"] else [options["id"]]
        count = sum(delivery.retry(one) for one in chosen)
        if options["id"] and not count:
            raise CommandError("This delivery is under way, has expired, or does not exist.")
        return {"due": count}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        if subcommand != "list":
            super().show(subcommand, answer)
            return
        for row in answer["deliveries"]:
            note = f"  ({row['last_error']})" if row["last_error"] else ""
            self.stdout.write(f"{row['id']}  {row['created_at']}  {row['receiver']}  {row['state']}, attempts: {row['attempts']}{note}")


def described(row: Delivery) -> dict[str, Any]:
    """A row without its payload."""

    def moment(name: str) -> str | None:
        value = getattr(row, name)
        return value.isoformat(timespec="seconds") if value else None

    return {
        "id": str(row.pk),
        "receiver": row.receiver,
        "target": row.target,
        "event": str(row.event) if row.event else None,
        "name": row.name,
        "person": str(row.person) if row.person else None,
        "sequence": row.sequence,
        "state": row.state,
        "attempts": row.attempts,
        "last_error": row.last_error,
        **{name: moment(name) for name in ("created_at", "due_at", "expires_at", "done_at")},
    }
