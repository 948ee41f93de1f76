"""The embedded mode: a Celery worker and beat as threads of the one web process, on the broker in memory.

Nothing is lost with the process: the outbox in the database is the record, the broker only says "there is work".
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from idp.events import outbox
from idp.operations.tasks import beat_heart

log = logging.getLogger(__name__)

STOP_SECONDS = 20


class Embedded:
    """One worker (solo pool) and one beat. Starts after a fork, in the process that serves."""

    def __init__(self) -> None:
        # Django's checks ran when the server started; the worker would run them a second time.
        os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
        from celery.beat import Service
        from celery.worker import WorkController

        self.app: Any = import_string(settings.TASK_APP)
        self.app.set_default()
        # WorkController, not the `celery worker` program: it installs no signal handlers and starts in any thread.
        self.worker: Any = WorkController(
            app=self.app,
            hostname=f"embedded@{os.getpid()}",
            pool_cls="solo",
            concurrency=1,
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self.beat: Any = Service(self.app, max_interval=1, scheduler_cls="celery.beat:Scheduler")
        self.threads = [
            threading.Thread(target=self._run, args=("worker", self.worker.start), name="celery-worker", daemon=True),
            threading.Thread(target=self._run, args=("beat", self.beat.start), name="celery-beat", daemon=True),
        ]

    def start(self) -> None:
        from celery import signals

        # Celery's Django fix-up listens: it closes the thread's database connections around each task, as after a request.
        signals.worker_init.send(sender=self.worker)
        for thread in self.threads:
            thread.start()
        beat_heart.delay()
        outbox.publish_wake_up()  # what the process before us left behind does not wait for the first sweep

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Take no new task and let the running one finish, for at most `seconds`. What is left, the outbox has.

        An idle worker is not waited for: it looks up from its queue every two seconds only.
        """
        from celery.worker import state

        self.beat.stop()
        state.should_stop = os.EX_OK
        deadline = time.monotonic() + seconds
        while state.active_requests and time.monotonic() < deadline:
            time.sleep(0.02)

    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self.threads)

    def _run(self, name: str, target: Any) -> None:
        try:
            target()
        except SystemExit:
            return
        except Exception:
            log.exception("embedded %s stopped", name)


_running: tuple[int, Embedded] | None = None
_lock = threading.Lock()


def start() -> Embedded:
    """Start worker and beat in this process, once; a second call returns those that run."""
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            _running = (os.getpid(), Embedded())
            _running[1].start()
        return _running[1]


def running() -> Embedded | None:
    """Those of this process, if they were started."""
    return _running[1] if _running and _running[0] == os.getpid() else None
