from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from idp.operations.documents import DOCUMENTS


class Command(BaseCommand):
    help = "Write the generated pages of docs/ (for developers). With --check, only say which of them are stale."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = []
        for name, make in DOCUMENTS.items():
            path = settings.BASE_DIR / "docs" / name
            text = make()
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(f"docs/{name}")
                if not options["check"]:
                    path.write_text(text, encoding="utf-8")
        if stale and options["check"]:
            raise CommandError(f"stale: {', '.join(stale)}. Run `make docs`.")
        self.stdout.write(f"written: {', '.join(stale)}" if stale else "docs/ is up to date")
