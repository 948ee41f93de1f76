"""`manage.py breached_passwords build|check`: the offline list of passwords that became public."""

from __future__ import annotations

import gzip
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from django.conf import settings
from django.core.management.base import CommandError

from idp.accounts import breached
from idp.kernel.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Make the offline file of breached passwords, and look into it."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "build": (
            "Make the file from the public list (one SHA1:count per line, ordered by hash; .gz and - for standard input work too).",
            "arguments_build",
            "build",
        ),
        "check": ("Say whether a password, read from standard input, is in the configured file.", "arguments_check", "look_up"),
    }

    def arguments_build(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="LIST", help="the public list")
        parser.add_argument("target", metavar="FILE", help="where to write; then set IDP_BREACHED_PASSWORDS_FILE to it")
        parser.add_argument("--seen", type=int, default=1, metavar="TIMES", help="leave out what was seen less often (default 1: keep all)")

    def arguments_check(self, parser: ArgumentParser) -> None:
        parser.add_argument("--password-stdin", action="store_true", help="accepted for symmetry: it is always read from standard input")

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        target = Path(options["target"])
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with _opened(options["source"]) as lines, temporary.open("wb") as out:
                entries = breached.build(lines, out, fewest=options["seen"])
            temporary.replace(target)
        except breached.Malformed as error:
            raise CommandError(f"The list cannot be used: {error}.") from None
        except (OSError, EOFError) as error:
            raise CommandError(f"The file cannot be made: {getattr(error, 'strerror', None) or 'it is cut off'}.") from None
        finally:
            temporary.unlink(missing_ok=True)
        return {"entries": entries, "file": str(target), "bytes": target.stat().st_size}

    def look_up(self, _options: dict[str, Any]) -> dict[str, Any]:
        if settings.IDP.breached_passwords_file is None:
            raise CommandError("IDP_BREACHED_PASSWORDS_FILE is not set.")
        return {"breached": breached.contains(self.read_secret("password"))}


def _opened(source: str) -> BinaryIO:
    if source == "-":
        return sys.stdin.buffer
    return gzip.open(source, "rb") if source.endswith(".gz") else Path(source).open("rb")  # type: ignore[return-value]
