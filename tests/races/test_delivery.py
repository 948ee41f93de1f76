"""Parallel workers (rows EV-02, EV-07): every row is taken once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from idp.events import outbox
from idp.events.models import Delivery
from idp.notifications import delivery, receivers

WORKERS, ROWS = 8, 60


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_parallel_workers_take_every_row_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[int] = []

    def receive(delivery_id: UUID, payload: dict[str, int]) -> None:
        got.append(payload["number"])

    monkeypatch.setattr(receivers, "probe", receive, raising=False)
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    settings.RECEIVERS = {"probe": "idp.notifications.receivers.probe"}
    for number in range(ROWS):
        outbox.enqueue(receiver="probe", payload={"number": number})
    errors = in_parallel(delivery.deliver_due)
    assert errors == []
    assert sorted(got) == list(range(ROWS))
    assert Delivery.objects.filter(state=Delivery.State.DONE, attempts=1).count() == ROWS


def in_parallel(work: Callable[[], object]) -> list[Exception]:
    start = threading.Barrier(WORKERS)
    errors: list[Exception] = []

    def run() -> None:
        start.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return errors
