"""A task runs under the id of the request that caused it, through a real worker on the memory broker."""

from __future__ import annotations

import queue

import pytest
from celery.contrib.testing.worker import start_worker

from idp.celery import app
from idp.kernel import context

seen: queue.Queue[str] = queue.Queue()


@app.task(name="tests.who_asked")
def who_asked() -> None:
    seen.put(context.current().request_id)


def publish(request_id: str) -> None:
    entered = context.enter(context.RequestContext(request_id=request_id))
    try:
        who_asked.apply_async()
    finally:
        context.leave(entered)


@pytest.mark.django_db(transaction=True)
def test_the_request_id_goes_along_and_does_not_stay() -> None:
    with start_worker(app, pool="solo", perform_ping_check=False):
        found = []
        for request_id in ("request-0001", "", "not one\n"):
            publish(request_id)
            found.append(seen.get(timeout=20))
    assert found == ["request-0001", "", ""]
