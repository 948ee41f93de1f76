"""`manage.py audit status|seal|verify|head|export`: the event log as evidence, for the operator."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.audit import export, heads, sealer, search
from idp.audit.models import FIRST_ID, Head, Sealer, Stream
from idp.audit.verify import verify
from idp.kernel.commands import OperatorCommand

SHOWN = 20


class Command(OperatorCommand):
    help = "Seal, verify and export the event log."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "status": ("Say where the chains stand.", "arguments_none", "status"),
        "seal": ("Seal what is committed now, instead of waiting for the schedule.", "arguments_none", "seal"),
        "head": ("Sign a head now and print it: keep it where nobody who can change the database can change it.", "arguments_none", "head"),
        "verify": ("Check every link, head and log row; name the first broken link. Exit code 1 when something is.", "arguments_verify", "verify"),
        "search": ("Find log rows: by person, client, kind, time, reference.", "arguments_search", "search"),
        "export": ("Write the log as JSON Lines, and a program that checks the file without Kairos ID.", "arguments_export", "export"),
    }  # fmt: skip

    def arguments_none(self, parser: ArgumentParser) -> None:
        """Nothing."""

    def arguments_verify(self, parser: ArgumentParser) -> None:
        parser.add_argument("--heads", metavar="FILE", help="heads that were kept elsewhere, one per line, as `audit head` prints them")

    def arguments_export(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", metavar="FOLDER", required=True, help="where audit.jsonl and verify_audit.py are written")
        parser.add_argument("--without-personal-data", action="store_true", help="leave addresses, user agents and people out")

    def arguments_search(self, parser: ArgumentParser) -> None:
        parser.add_argument("--person", metavar="PERSON", help="e-mail address or sub: whom it concerns, or who did it")
        parser.add_argument("--client", metavar="CLIENT_ID")
        parser.add_argument("--kind", metavar="NAME", help="name of an event, or a subject: sign_in.failed, account")
        parser.add_argument("--since", metavar="TIME", help="ISO 8601 in UTC, or 90m, 36h, 7d ago")
        parser.add_argument("--until", metavar="TIME")
        parser.add_argument("--reference", metavar="REFERENCE", help="from an error page, or a request id")
        parser.add_argument("--limit", type=int, default=100, metavar="ROWS", help="newest first (default 100, at most 10000)")

    def search(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            found = search.find(
                person=options["person"],
                client_id=options["client"],
                kind=options["kind"],
                since=search.moment(options["since"]),
                until=search.moment(options["until"]),
                reference=options["reference"],
            )
        except ValueError as error:
            raise CommandError(f"{error}.") from None
        return {"events": [search.described(row) for row in found[: max(1, min(options["limit"], 10_000))]]}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        """One event per line."""
        if subcommand != "search":
            super().show(subcommand, answer)
            return
        for row in answer["events"]:
            told = "  ".join(f"{name}={row[name]}" for name in ("person", "by", "client_id", "ip") if row[name])
            self.stdout.write(f"{row['at']}  {row['name']}  {told}")

    def status(self, options: dict[str, Any]) -> dict[str, Any]:
        newest = Head.objects.order_by("-number").first()
        settled_to = Sealer.objects.filter(pk=1).values_list("settled_to", flat=True).first() or FIRST_ID
        return {
            "streams": {stream.name: stream.seq for stream in Stream.objects.order_by("name")},
            "waiting": sealer.waiting(settled_to).count(),
            "newest_head": newest.number if newest else None,
            "newest_head_at": newest.at.isoformat(timespec="seconds") if newest else None,
        }

    def seal(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"sealed": sealer.seal_due()}

    def head(self, options: dict[str, Any]) -> dict[str, Any]:
        sealer.seal_due()
        made = heads.sign()
        if made is None:
            raise CommandError("No head was signed: another process seals at this moment, or there is no signing key yet. Run it again.")
        return {"number": made.number, "head": made.jws}

    def verify(self, options: dict[str, Any]) -> dict[str, Any]:
        kept: list[str] = []
        if options["heads"]:
            try:
                kept = [line.strip() for line in Path(options["heads"]).read_text("utf-8").splitlines() if line.strip()]
            except (OSError, UnicodeDecodeError):
                raise CommandError("--heads: the file cannot be read.") from None
        report = verify(kept_heads=kept)
        if report.problems:
            more = f" ({len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
            for problem in report.problems[1:SHOWN]:
                self.stderr.write(problem)
            raise CommandError(f"The log is not what was sealed. {report.problems[0]}{more}", returncode=1)
        return {"whole": True, **{name: value for name, value in asdict(report).items() if name != "problems"}}

    def export(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return export.write(Path(options["out"]), personal=not options["without_personal_data"])
        except OSError as error:
            raise CommandError(f"--out: {error.strerror}.") from None
