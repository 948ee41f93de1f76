"""`manage.py worker`: delivers mail and events."""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

log = logging.getLogger("idp.operations")

# Where a worker shares the machine with web processes, whoever waits for a page comes before a backlog (reliability contract RC-04).
NICENESS = 15


class Command(BaseCommand):
    help = "Run a Celery worker. Any number of them may run. Stops on SIGTERM after the tasks in hand."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="tasks at the same time (default: 2)")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.IDP.embedded:
            raise CommandError("Without IDP_REDIS_URL the worker runs inside `manage.py serve`. Set IDP_REDIS_URL to run it by itself.")
        from celery import signals

        def say(**_: Any) -> None:
            log.info("worker ready")

        signals.worker_ready.connect(say, weak=False)
        os.nice(NICENESS)
        app = import_string(settings.TASK_APP)
        app.worker_main(
            ["--quiet", "worker", "--pool", "prefork", "--concurrency", str(options["concurrency"]), "--without-gossip", "--without-mingle"]
        )
