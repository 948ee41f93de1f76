"""`manage.py serve`: the web process."""

from __future__ import annotations

import os
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from idp.kernel.sealing import SealBroken
from idp.oidc.keys import ring
from idp.operations import serving


def add_serving_arguments(parser: ArgumentParser) -> None:
    """The options that `serve` and `run_development` share."""
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1 in development, otherwise 0.0.0.0)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000), help="default: PORT, or 8000")
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one needs Redis (default: 1)")
    parser.add_argument(
        "--threads", type=int, help="requests that one process answers at the same time (default: its database connections)"
    )
    parser.add_argument("--backlog", type=int, default=1024, help="connections that may wait (default: 1024)")


def serve_with(options: dict[str, Any]) -> None:
    """Serve as the options say. Raises CommandError for what cannot work."""
    if settings.IDP.embedded and options["workers"] != 1:
        raise CommandError(
            "Without IDP_REDIS_URL there is one process: its memory is the broker. Set IDP_REDIS_URL or leave out --workers."
        )
    if options["workers"] < 1 or (options["threads"] is not None and options["threads"] < 1):
        raise CommandError("--workers and --threads are at least 1.")
    if not 0 < options["port"] < 65536:
        raise CommandError("--port is a number from 1 to 65535.")
    if not settings.IDP.development and not (settings.IDP.static_dir / "staticfiles.json").exists():
        raise CommandError("The static files are not collected. Run: manage.py collectstatic --no-input")
    _refuse_unreadable_keys()
    host = options["host"] or ("127.0.0.1" if settings.IDP.development else "0.0.0.0")  # noqa: S104  behind a proxy or in a container
    _refuse_taken(host, options["port"])
    serving.serve(
        host=host,
        port=options["port"],
        workers=options["workers"],
        # A thread that has no database connection could only wait for one.
        threads=options["threads"] or (settings.IDP.database_pool_size if connection.vendor == "postgresql" else 16),
        backlog=options["backlog"],
    )


def _refuse_unreadable_keys() -> None:
    # Hostile case KT-05: never half a provider, and never a key made up on the spot. A database that is away is another matter: it
    # comes back, and /readyz says so meanwhile.
    try:
        ring.ring()
    except SealBroken as error:
        raise CommandError(f"The signing keys cannot be read ({error}). Set the IDP_SEALING_KEYS that they were sealed with.") from None
    except DatabaseError:
        return


def _refuse_taken(host: str, port: int) -> None:
    # granian shares a taken port (SO_REUSEPORT) and would answer every other request of somebody else's server.
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(f"Cannot listen on {host} port {port}: {error.strerror}. Another port: PORT={port + 1}") from None


class Command(BaseCommand):
    help = "Serve the provider (granian, WSGI). Stops on SIGTERM after the requests in flight."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_serving_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        serve_with(options)
