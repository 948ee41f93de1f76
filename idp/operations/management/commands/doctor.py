"""`manage.py doctor`: what is configured, what is missing or unsafe, each with the remedy."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import BaseCommand

from idp.operations.doctor import Finding, examine, healthy, refusals

MARKS = {"ok": "ok     ", "warning": "warning", "unsafe": "UNSAFE ", "broken": "BROKEN "}


def report(findings: list[Finding], *, as_json: bool, write: Callable[[str], object]) -> int:
    """Print the findings; returns the exit status: 0 when nothing is unsafe or broken."""
    if as_json:
        document = {
            "ok": healthy(findings),
            "environment": os.environ.get("IDP_ENV", "production"),
            "findings": [dataclasses.asdict(finding) for finding in findings],
        }
        write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    else:
        for finding in findings:
            write(f"{MARKS[finding.state]}  {finding.part}: {finding.text}\n")
            if finding.remedy:
                write(f"           -> {finding.remedy}\n")
    return 0 if healthy(findings) else 1


def without_settings(arguments: Sequence[str]) -> int | None:
    """For manage.py: the exit status when the settings refuse to load, else None (then the command below runs)."""
    found = refusals()
    if not found:
        return None
    status = report(found, as_json="--json" in arguments, write=sys.stdout.write)
    sys.stderr.write(f"{len(found)} settings must be mended before anything else can be examined.\n")
    return status


class Command(BaseCommand):
    help = "Say what is configured, what is missing or unsafe, each with the remedy."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = examine()
        status = report(findings, as_json=options["json"], write=self.stdout.write)
        if status:
            bad = [finding.part for finding in findings if finding.state in ("unsafe", "broken")]
            self.stderr.write(f"To be mended: {', '.join(dict.fromkeys(bad))}.")
            sys.exit(status)
