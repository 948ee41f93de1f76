"""The transactional outbox: what must leave the house is a row in the transaction of the change; delivery comes after."""

from __future__ import annotations

import atexit
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from idp.events.identifiers import ordered
from idp.events.models import Delivery
from idp.kernel import clock, context, sealing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

log = logging.getLogger(__name__)

WAKE_TASK = "idp.notifications.tasks.deliver_due"


def enqueue(*, receiver: str, payload: Mapping[str, Any], expires_at: datetime | None = None, dedupe_key: str | None = None) -> None:
    """Put a message in the outbox, in the caller's transaction, and wake a worker after the commit.

    Parameters: `receiver` is a name in `settings.RECEIVERS`; `payload` is JSON-able, sealed at rest and emptied after
    delivery; after `expires_at` it is not sent any more (the life of a link or code in it); a second message with the same
    `dedupe_key` is dropped silently.
    Raises: KeyError for a receiver that is not in the table; TypeError for a payload that is not JSON.
    """
    settings.RECEIVERS[receiver]
    row = ordered()
    sealed = sealing.seal(json.dumps(payload, separators=(",", ":")).encode(), purpose=purpose(row))
    delivery = Delivery(id=row, receiver=receiver, payload=sealed, expires_at=expires_at, dedupe_key=dedupe_key, due_at=clock.now())
    if dedupe_key is None:
        delivery.save(force_insert=True)
    else:
        Delivery.objects.bulk_create([delivery], ignore_conflicts=True)
    wake_after_commit()


def wake_after_commit() -> None:
    """Wake a worker once the caller's transaction is committed; costs the request nothing."""
    transaction.on_commit(_waker.wake, robust=True)


def purpose(delivery: UUID) -> str:
    """What a payload is sealed for: it opens for its own row only, so rows cannot be swapped in the database."""
    return f"events.outbox:{delivery}"


class _Waker:
    """Publishes the wake-up from a thread of its own.

    A broker that is down, stopped or slow costs the request nothing (reliability contract RC-08): many wake-ups become one,
    a failure is logged and forgotten, and the sweep finds the row within five seconds.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._request = context.NOBODY

    def wake(self) -> None:
        self._request = context.current()  # of several that become one, the last: its id goes along, for the log
        self._idle.clear()
        self._asked.set()
        # A thread does not survive fork(): is_alive() is False in the child, which starts its own.
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="outbox-wake", daemon=True)
                    self._thread.start()

    def flush(self, seconds: float = 1.0) -> bool:
        """Wait until what was asked for is published or given up; at the end of a command, for instance."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            entered = context.enter(self._request)
            try:
                publish_wake_up()
            except Exception as error:  # noqa: BLE001 (whatever the broker and its client raise; the row is safe)
                # The type only: a connection error may spell the broker's address with its credential.
                log.warning("outbox: wake-up not published (%s); the sweep will find the row", type(error).__name__)
            finally:
                context.leave(entered)
            if not self._asked.is_set():
                self._idle.set()


def publish_wake_up() -> None:
    """Ask a worker to deliver what is due. Raises what the broker raises, within about a second."""
    app = import_string(settings.TASK_APP)
    with app.connection_for_write(transport_options=settings.WAKE_UP_TRANSPORT_OPTIONS) as connection:
        app.send_task(WAKE_TASK, connection=connection, retry=False, ignore_result=True, expires=60)


_waker = _Waker()
atexit.register(_waker.flush)
