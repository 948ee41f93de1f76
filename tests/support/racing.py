"""Start many callers at the same moment, each on its own thread and database connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import OperationalError, connection

Result = TypeVar("Result")


def _connect() -> None:
    """Before the race begins, so that it is about the row and not about who connects first; a busy machine may need several tries."""
    for _ in range(10):
        try:
            connection.ensure_connection()
        except OperationalError:
            continue
        return


def at_once(callers: int, work: Callable[[int], Result], *, seconds: float = 60) -> list[Result]:
    """`work(number)` of every caller, released together; an exception of any is raised here."""
    barrier = threading.Barrier(callers)

    def run(number: int) -> Result:
        try:
            _connect()
            barrier.wait(seconds)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(callers) as pool:
        return [future.result(seconds) for future in [pool.submit(run, number) for number in range(callers)]]
