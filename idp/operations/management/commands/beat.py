"""`manage.py beat`: starts the periodic tasks."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from idp.operations.tasks import beat_heart

log = logging.getLogger("idp.operations")


class Command(BaseCommand):
    help = "Run Celery's scheduler. One is enough; two do no harm."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        if settings.IDP.embedded:
            raise CommandError("Without IDP_REDIS_URL the scheduler runs inside `manage.py serve`. Set IDP_REDIS_URL to run it by itself.")
        from celery import signals

        def say(**_: Any) -> None:
            beat_heart.delay()  # the first sign of life, without waiting for the first interval
            log.info("beat ready")

        signals.beat_init.connect(say, weak=False)
        import_string(settings.TASK_APP).Beat(quiet=True).run()
