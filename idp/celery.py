"""The Celery app: `celery -A idp worker`, `celery -A idp beat`. Tasks live in each app's `tasks.py`, the schedule in settings."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun

from idp.kernel import context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")

app = Celery("kairos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks()


@setup_logging.connect
def _keep_our_logging(**_kwargs: Any) -> None:
    """A receiver of this signal stops Celery from configuring logging: worker and beat log like the web process."""


# Log lines of a task carry the id of the request that caused it, as those of the request itself do.
REQUEST_ID = "kairos_request_id"


@before_task_publish.connect
def _say_who_caused_it(headers: dict[str, Any] | None = None, **_kwargs: Any) -> None:
    request_id = context.current().request_id
    if headers is not None and request_id:
        headers[REQUEST_ID] = request_id


@task_prerun.connect
def _enter(task: Any = None, **_kwargs: Any) -> None:
    request_id = getattr(task.request, REQUEST_ID, None)
    if isinstance(request_id, str) and context.REQUEST_ID.fullmatch(request_id):
        task.request.kairos_entered = context.enter(context.RequestContext(request_id=request_id))


@task_postrun.connect
def _leave(task: Any = None, **_kwargs: Any) -> None:
    entered = getattr(task.request, "kairos_entered", None)
    if entered is not None:
        task.request.kairos_entered = None
        context.leave(entered)
