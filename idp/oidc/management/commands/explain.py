"""`manage.py explain REFERENCE`: why a protocol request was refused."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from idp.oidc.models import RefusedRequest
from idp.oidc.protocol.refusals import CATALOGUE


class Command(BaseCommand):
    help = "Show what arrived (redacted), what was expected and how to fix it, by the reference that an answer or a page carried."

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE", help="for example K7Q2-4MFP")

        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        answer = self._answer(options["reference"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))
            return
        for name, value in answer.items():
            if isinstance(value, dict):
                self.stdout.write(f"{name}:")
                for member, text in value.items():
                    self.stdout.write(f"    {member} = {text}")
            elif value:
                self.stdout.write(f"{name}: {value}")

    def _answer(self, reference: str) -> dict[str, Any]:
        row = RefusedRequest.objects.filter(reference=reference.strip().upper()[:16]).first()
        if row is None:
            raise CommandError(
                "Nothing is kept under this reference: mistyped, older than 30 days, or one of a flood (then only in the log)."
            )
        entry = CATALOGUE.get(row.code)
        return {
            "reference": row.reference,
            "at": row.at.isoformat(timespec="seconds"),
            "endpoint": row.endpoint,
            "client_id": row.client_id,
            "request_id": row.request_id,
            "code": row.code,
            "error": entry.error if entry else "",
            "clause": entry.clause if entry else "",
            "description": entry.description if entry else "",
            "arrived": row.arrived,
            "detail": row.detail,
            "expected": entry.expected if entry else "",
            "fix": entry.fix if entry else "",
        }
