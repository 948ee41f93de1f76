"""`manage.py registration_token create`: permission for somebody to register clients (RFC 7591 1.2)."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import CommandError

from idp.kernel.clock import now
from idp.kernel.commands import OperatorCommand
from idp.oidc.registration import tokens


class Command(OperatorCommand):
    help = "Make initial access tokens for dynamic client registration."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "create": ("Make an initial access token; it is shown this once.", "arguments_create", "create"),
    }

    def arguments_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("--uses", type=int, default=1, help="how many clients it may register (default 1)")
        parser.add_argument("--hours", type=float, default=24, help="how long it is good (default 24)")

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= options["uses"] <= 10_000 or not 0 < options["hours"] <= 24 * 365:
            raise CommandError("--uses: 1 to 10000; --hours: up to a year.")
        if settings.IDP.registration == "closed":
            raise CommandError("Registration is closed: set IDP_REGISTRATION to token or open first.")
        expires_at = now() + timedelta(hours=options["hours"])
        token = tokens.issue_initial(uses=options["uses"], expires_at=expires_at)
        return {"initial_access_token": token, "uses": options["uses"], "expires_at": expires_at.isoformat(timespec="seconds")}
