"""Expired rows leave in bounded batches, while serving."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils.module_loading import import_string

from idp.events.models import Delivery
from idp.notifications import cleaning, delivery
from idp.notifications.receivers import Refused

from .conftest import Probe

Put = Callable[..., Delivery]


def test_every_entry_of_the_tables_exists(settings: Any) -> None:
    for path in [*settings.CLEANERS, *settings.RECEIVERS.values()]:
        assert callable(import_string(path))


def test_every_function_that_deletes_what_expired_is_in_the_table(settings: Any) -> None:
    source = Path(settings.BASE_DIR) / "idp"
    found = set()
    for path in source.rglob("*.py"):
        if re.search(r"^def delete_expired\b", path.read_text(), re.MULTILINE):
            module = ".".join(path.relative_to(source.parent).with_suffix("").parts).removesuffix(".__init__")
            found.add(f"{module}.delete_expired")
    assert found - set(settings.CLEANERS) == set(), "nobody calls them: add them to CLEANERS in idp/settings/background.py"


def test_every_scheduled_task_exists(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_SKIP_CHECKS", "1")  # Django's checks have tests of their own
    app = import_string(settings.TASK_APP)
    app.loader.import_default_modules()
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"]["expires"] <= entry["schedule"], f"{name} would pile up while no worker runs"


@pytest.mark.django_db
def test_the_outbox_stops_growing(waiting: Put, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "BATCH", 3)
    sizes = []
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        for _ in range(40):
            for number in range(5):
                waiting(number=number)
            delivery.deliver_due()
            travel.shift(timedelta(days=1))
            cleaning.clean_up()
            sizes.append(Delivery.objects.count())
    assert max(sizes) == 30
    assert sizes[-10:] == [30] * 10


@pytest.mark.django_db
def test_a_dead_message_keeps_its_payload_while_it_could_be_sent_again(waiting: Put, probe: Probe) -> None:
    probe.raises(Refused("recipient refused (550)"))
    with time_machine.travel(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), tick=False) as travel:
        row = waiting(text="code", seconds=600)
        delivery.deliver_due()
        cleaning.clean_up()
        row.refresh_from_db()
        assert row.payload
        travel.shift(601)
        assert cleaning.clean_up()["idp.notifications.cleaning.empty_expired_payloads"] == 1
        row.refresh_from_db()
        assert row.payload == ""
        travel.shift(timedelta(days=31))
        cleaning.clean_up()
    assert not Delivery.objects.exists()


def test_cleaners_take_turns_and_a_broken_one_stands_alone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    left = {"first": 3, "second": 2}

    def cleaner(name: str) -> Callable[[], int]:
        def run() -> int:
            calls.append(name)
            if name == "broken":
                raise RuntimeError
            left[name] -= 1
            return 10 if left[name] >= 0 else 0

        return run

    for name in ("first", "broken", "second"):
        monkeypatch.setattr(cleaning, name, cleaner(name), raising=False)
    settings.CLEANERS = [f"idp.notifications.cleaning.{name}" for name in ("first", "broken", "second")]
    assert list(cleaning.clean_up().values()) == [30, 0, 20]
    assert calls == ["first", "broken", "second", "first", "second", "first", "second", "first"]
