"""Celery tasks."""

from __future__ import annotations

from celery import shared_task

from idp.kernel import clock
from idp.operations.models import Heartbeat


@shared_task(expires=30)
def beat_heart() -> None:
    Heartbeat.objects.update_or_create(name="worker", defaults={"at": clock.now()})
