"""Celery tasks."""

from __future__ import annotations

from celery import shared_task

from idp.audit import sealer


@shared_task(expires=30)
def seal() -> None:
    sealer.seal_due()
