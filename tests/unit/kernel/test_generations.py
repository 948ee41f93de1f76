"""kernel.generations: one process sees another's change within RECHECK_SECONDS, and never an uncommitted one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from idp.kernel import generations
from idp.kernel.models import Generation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    generations.forget()
    yield
    generations.forget()


def test_a_bump_changes_the_number_at_once_here() -> None:
    assert generations.current("clients") == 0
    generations.bump("clients")
    first = generations.current("clients")
    generations.bump("clients")
    assert len({0, first, generations.current("clients")}) == 3
    assert generations.current("keys") == 0


def test_reading_costs_no_sql_until_the_recheck_is_due(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations.current("clients")
    with django_assert_num_queries(0):
        for _ in range(100):
            generations.current("clients")
            generations.current("keys")
    # As another process would do it:
    Generation.objects.create(name="clients", number=77)
    assert generations.current("clients") == 0
    monkeypatch.setattr(generations, "RECHECK_SECONDS", 0)
    assert generations.current("clients") == 77


def test_a_change_that_is_rolled_back_was_never_seen_by_anybody() -> None:
    seen = []

    def other() -> None:
        seen.append(generations.current("clients"))
        connection.close()

    def change() -> None:
        with transaction.atomic():
            generations.bump("clients")
            assert generations.current("clients") != 0
            thread = threading.Thread(target=other)
            if connection.vendor == "postgresql":  # the tests' SQLite is in memory: threads share the one connection
                thread.start()
                thread.join()
                assert seen == [0]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert generations.current("clients") == 0


def test_while_the_database_is_away_only_stale_ok_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    generations.bump("keys")
    number = generations.current("keys")

    def away() -> dict[str, int]:
        raise DatabaseError

    monkeypatch.setattr(generations, "_read", away)
    generations.forget()
    with pytest.raises(DatabaseError):
        generations.current("keys")
    assert generations.current("keys", stale_ok=True) == number
