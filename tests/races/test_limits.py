"""kernel.limits under 200 parallel callers: exactly the limit, on PostgreSQL and on SQLite (ASVS 2.4.1, 15.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from idp.kernel import limits
from idp.kernel.models import Limit

THREADS = 200


def allowed_of_parallel_hits(connect: Callable[[], object]) -> int:
    barrier = threading.Barrier(THREADS)

    def hit() -> bool:
        connect()
        try:
            barrier.wait(90)
            return limits.hit("password", "ada", limit=7, seconds=600).allowed
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(future.result() for future in [pool.submit(hit) for _ in range(THREADS)])


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_on_postgresql_exactly_the_limit_is_allowed() -> None:
    try:
        assert allowed_of_parallel_hits(patiently_connected) == 7
        assert allowed_of_parallel_hits(patiently_connected) == 0
        assert Limit.objects.get().count == 8
    finally:
        connection.close()


def patiently_connected() -> None:
    """Connect before the race begins: two hundred at the same moment may exceed the seconds that one request would wait."""
    for _ in range(10):
        try:
            connections["default"].ensure_connection()
        except OperationalError:
            continue
        return


@pytest.mark.django_db(databases=[])
def test_on_a_sqlite_file_exactly_the_limit_is_allowed(tmp_path: Path, django_db_blocker: Any) -> None:
    # The test database is in memory; what is served is a file in WAL mode, and only that has real writers.
    from django.db.backends.sqlite3.base import DatabaseWrapper

    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;",
    }
    configured = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "limits.sqlite3"), "OPTIONS": options}}
    handler = type(connections)(configured)

    def connect() -> BaseDatabaseWrapper:
        connections["default"] = DatabaseWrapper(handler.databases["default"], "default")
        return connections["default"]

    before = connections["default"]
    with django_db_blocker.unblock():
        try:
            connect()
            with connections["default"].schema_editor() as editor:
                editor.create_model(Limit)
            assert allowed_of_parallel_hits(connect) == 7
            assert allowed_of_parallel_hits(connect) == 0
            assert Limit.objects.get().count == 8
            connections["default"].close()
        finally:
            connections["default"] = before
