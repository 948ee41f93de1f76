"""`manage.py events tail|show|replay`: the event log, for the operator."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError

from idp.events.catalogue import CATALOGUE
from idp.events.models import Delivery, EventRecord
from idp.kernel.commands import OperatorCommand
from idp.notifications import replay


def moment(text: str) -> datetime:
    """A date or date and time of ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("a date such as 2026-01-31 or 2026-01-31T12:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Command(OperatorCommand):
    help = "Read the event log, and send events again."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "tail": ("The newest events, oldest of them first; --follow goes on.", "arguments_tail", "tail"),
        "show": ("One event, and its deliveries.", "arguments_show", "show_event"),
        "replay": ("Send events again to one receiver, with the ids that they had.", "arguments_replay", "replay"),
    }

    def arguments_tail(self, parser: ArgumentParser) -> None:
        self._filters(parser)
        parser.add_argument("--limit", type=int, default=20, help="at most so many (default: 20)")
        parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C, one line per event")

    def arguments_show(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", type=UUID)

    def arguments_replay(self, parser: ArgumentParser) -> None:
        self._filters(parser)
        parser.add_argument("--receiver", required=True, choices=sorted(settings.EVENT_RECEIVERS))
        parser.add_argument("--target", default="", metavar="ID", help="only this webhook")
        parser.add_argument("--since", type=moment, metavar="TIME")
        parser.add_argument("--until", type=moment, metavar="TIME")
        parser.add_argument("--all", action="store_true", help="the whole log: needed when nothing else chooses")

    def _filters(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", dest="names", action="append", choices=sorted(CATALOGUE), metavar="NAME", default=[], help="repeat")
        parser.add_argument("--person", type=UUID, metavar="SUB")

    def tail(self, options: dict[str, Any]) -> dict[str, Any]:
        rows = replay.choose(person=options["person"], names=options["names"])
        newest = list(rows.order_by("-id")[: max(0, options["limit"])])[::-1]
        if not options["follow"]:
            return {"events": [described(row) for row in newest]}
        seen = {row.pk for row in newest}
        try:
            while True:
                for row in newest:
                    self.stdout.write(json.dumps(described(row)) if options["json"] else line(described(row)))
                time.sleep(1)
                # What commits late has an id from before: look back a little.
                newest = [row for row in rows.order_by("-id")[:500] if row.pk not in seen][::-1]
                seen.update(row.pk for row in newest)
        except KeyboardInterrupt:
            return {"events": []}

    def show_event(self, options: dict[str, Any]) -> dict[str, Any]:
        row = EventRecord.objects.filter(pk=options["id"]).first()
        if row is None:
            raise CommandError("There is no event with this id.")
        sent = Delivery.objects.filter(event=row.pk).order_by("id")
        names = ("id", "receiver", "target", "state", "attempts", "last_error")
        return {**described(row), "deliveries": [{name: str(getattr(one, name)) for name in names} for one in sent]}

    def replay(self, options: dict[str, Any]) -> dict[str, Any]:
        chosen = {name: options[name] for name in ("person", "names", "since", "until")}
        if not any(chosen.values()) and not options["all"]:
            raise CommandError("Choose events by --person, --name, --since or --until, or say --all.")
        return {"sent": replay.replay(replay.choose(**chosen), receiver=options["receiver"], target=options["target"])}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        if subcommand != "tail":
            super().show(subcommand, answer)
            return
        for row in answer["events"]:
            self.stdout.write(line(row))


def described(row: EventRecord) -> dict[str, Any]:
    """A record as JSON."""
    return {
        "id": str(row.pk),
        "name": row.name,
        "at": row.at.isoformat(timespec="milliseconds"),
        "person": str(row.person) if row.person else None,
        "sequence": row.sequence,
        "by": str(row.by) if row.by else None,
        "client_id": row.client_id,
        "ip": row.ip,
        "user_agent": row.user_agent,
        "request_id": row.request_id,
        "data": row.data,
    }


def line(row: dict[str, Any]) -> str:
    """One event in one line."""
    return f"{row['at']}  {row['id']}  {row['name']}  {row['person'] or '-'}  {json.dumps(row['data'])}"
