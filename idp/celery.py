"""The Celery app: `celery -A idp worker`, `celery -A idp beat`. Tasks live in each app's `tasks.py`, the schedule in settings."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")

app = Celery("kairos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks()


@setup_logging.connect
def _keep_our_logging(**_kwargs: Any) -> None:
    """A receiver of this signal stops Celery from configuring logging: worker and beat log like the web process."""
