"""Failpoints: the process kills itself, with SIGKILL, at a named place. Wrapped around the product's functions; it holds none itself."""

from __future__ import annotations

import functools
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        # Name of the failpoint: module, function, before or after it.
        for name, (module, function, when) in {
            "after_outbox_insert": ("idp.events.fanout", "deliver", "after"),
            "after_claim": ("idp.notifications.lanes", "claim", "after"),
            "before_send": ("idp.notifications.lanes", "_count", "after"),
            "after_send": ("idp.notifications.lanes", "_end", "before"),
            "before_close": ("idp.notifications.lanes", "_close", "before"),
            "before_answer": ("idp.oidc.token.endpoint", "json_answer", "before"),
        }.items():
            if share := _failpoints().get(name):
                _wrap(module, function, when, share)


def _failpoints() -> dict[str, float]:
    chosen: dict[str, float] = getattr(settings, "FAILPOINTS", {})
    return chosen


def _wrap(module: str, function: str, when: str, share: float) -> None:
    owner = __import__(module, fromlist=["_"])
    inner: Callable[..., Any] = import_string(f"{module}.{function}")
    dice = random.Random(f"{os.getenv('FAILPOINT_SEED', '0')}:{function}:{os.getpid()}")

    off = settings.IDP.data_dir / "failpoints-off"

    def perhaps_die() -> None:
        if dice.random() < share and not off.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(inner)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            perhaps_die()
        answer = inner(*arguments, **named)
        if when == "after":
            perhaps_die()
        return answer

    setattr(owner, function, wrapped)
