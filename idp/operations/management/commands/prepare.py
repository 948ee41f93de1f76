"""`manage.py prepare`: everything that a deployment needs before its new release serves."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from idp.operations.setup import ensure_schema, ensure_signing_keys


class Command(BaseCommand):
    help = "Bring the database up to date and make missing signing keys. Changes nothing when all is there; run it before each release."
    requires_system_checks = ()

    def handle(self, *_args: Any, **options: Any) -> None:
        applied = ensure_schema(verbosity=options["verbosity"])
        made = ensure_signing_keys()
        self.stdout.write(f"{applied} migrations applied, {len(made)} signing keys made.")
