"""Start many callers at the same moment, each on its own thread and database connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")


def at_once(callers: int, work: Callable[[int], Result], *, seconds: float = 60) -> list[Result]:
    """`work(number)` of every caller, released together; an exception of any is raised here."""
    barrier = threading.Barrier(callers)

    def run(number: int) -> Result:
        try:
            barrier.wait(seconds)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(callers) as pool:
        return [future.result(seconds) for future in [pool.submit(run, number) for number in range(callers)]]
