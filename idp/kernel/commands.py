"""What every command of the operator's interface has in common: text or one JSON document, one clear line on failure, secrets on stdin."""

from __future__ import annotations

import json
import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from . import context

MOST_INPUT = 64 * 1024
USAGE_ERROR = 2
READING = frozenset(("list", "show", "status", "search", "tail", "verify", "check", "diff"))


class _Parser(CommandParser):
    """Says what is wrong with the arguments in one line, instead of the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        line = f"{message} (see: manage.py {self.prog.split('manage.py ')[-1]} --help)"
        if self.called_from_command_line:
            self.exit(USAGE_ERROR, f"CommandError: {line}\n")
        raise CommandError(line, returncode=USAGE_ERROR)


class OperatorCommand(BaseCommand):
    """A command with subcommands: `manage.py user create …`.

    A subclass lists them in `subcommands`: name to (help, function that adds arguments, function that runs). What the latter returns is
    printed: as JSON with `--json`, else by `show`. Failure is a CommandError: one line on standard error, exit code not 0.
    """

    subcommands: ClassVar[Mapping[str, tuple[str, str, str]]] = {}
    # Names of subcommands beside READING that only look: every other one is recorded before it runs.
    reading: ClassVar[Collection[str]] = ()
    # Commands start fast, and run before the deployment is whole: `doctor` and `check` look at that.
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = _Parser
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True, parser_class=_Parser)
        for name, (text, arguments, _run) in self.subcommands.items():
            one = parsers.add_parser(name, help=text, description=text)
            one.add_argument("--json", action="store_true", help="print one JSON document")
            getattr(self, arguments)(one)

    def handle(self, *_args: Any, **options: Any) -> None:
        subcommand = options["subcommand"]
        run: Callable[[dict[str, Any]], dict[str, Any]] = getattr(self, self.subcommands[subcommand][2])
        name = f"{type(self).__module__.rpartition('.')[2]} {subcommand}"
        # Whatever the command does is recorded under one request id, and as done by it.
        token = context.enter(context.RequestContext(request_id=secrets.token_hex(16), user_agent=f"manage.py {name}"))
        try:
            if subcommand not in READING and subcommand not in self.reading:
                record: Callable[[str], None] = import_string(settings.COMMAND_RECORDER)
                record(name)
            answer = run(options)
        finally:
            context.leave(token)
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            self.show(options["subcommand"], answer)
        self.finish(answer)

    def finish(self, answer: dict[str, Any]) -> None:
        """After the answer was printed: raise CommandError if part of the work could not be done."""

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        """Print `answer` for a person: one `name: value` line per member."""
        for name, value in answer.items():
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) or value is None else value
            self.stdout.write(f"{name}: {text}")

    def read_secret(self, what: str) -> str:
        """One secret from standard input, without its line end. Raises CommandError when there is none, or it is no text."""
        stream = getattr(sys.stdin, "buffer", sys.stdin)
        raw = stream.read(MOST_INPUT + 1)
        try:
            text = raw.decode() if isinstance(raw, bytes) else raw
        except UnicodeDecodeError:
            raise CommandError(f"The {what} on standard input is not UTF-8.") from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise CommandError(f"There is no {what} on standard input.")
        if len(raw) > MOST_INPUT or "\n" in text:
            raise CommandError(f"The {what} on standard input is more than one line.")
        return text
