from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from idp.events import outbox
from idp.events.models import Delivery
from idp.kernel import clock
from idp.notifications import receivers


class Probe:
    """A receiver that remembers what it got and answers as told; in the table under the name "probe"."""

    def __init__(self) -> None:
        self.got: list[tuple[UUID, dict[str, Any]]] = []
        self.answer: Callable[[], None] = lambda: None

    def __call__(self, delivery_id: UUID, payload: dict[str, Any]) -> None:
        self.got.append((delivery_id, payload))
        self.answer()

    def raises(self, error: Exception) -> None:
        def answer() -> None:
            raise error

        self.answer = answer


@pytest.fixture
def probe(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    receiver = Probe()
    monkeypatch.setattr(receivers, "probe", receiver, raising=False)
    settings.RECEIVERS = {**settings.RECEIVERS, "probe": "idp.notifications.receivers.probe"}
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    yield receiver
    outbox._waker.flush(5)


@pytest.fixture
def waiting(probe: Probe) -> Callable[..., Delivery]:
    """Put one message for the probe in the outbox and return its row."""

    def put(*, seconds: float | None = None, **payload: Any) -> Delivery:
        expires_at = clock.now() + timedelta(seconds=seconds) if seconds is not None else None
        outbox.enqueue(receiver="probe", payload=payload, expires_at=expires_at)
        return Delivery.objects.latest("id")

    return put
