"""Celery tasks. Their arguments are empty on purpose: the database says what there is to do (EM-17)."""

from __future__ import annotations

from celery import shared_task

from idp.events import outbox, partitions
from idp.notifications import cleaning, delivery


@shared_task(expires=60)
def deliver_due() -> None:
    if delivery.deliver_due().more:
        outbox.publish_wake_up()


@shared_task(expires=60)
def clean_up() -> None:
    cleaning.clean_up()


@shared_task(expires=600)
def keep_log_in_order() -> None:
    partitions.keep_in_order()
