"""kernel.limits: exact counts, windows, clean-up. Parallel callers: tests/races."""

from __future__ import annotations

import pytest
import time_machine

from idp.kernel import limits
from idp.kernel.models import Limit

pytestmark = pytest.mark.django_db


def test_exactly_the_limit_is_allowed_and_then_a_new_window_begins() -> None:
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        verdicts = [limits.hit("password", "ada", limit=3, seconds=60) for _ in range(5)]
        assert [verdict.allowed for verdict in verdicts] == [True, True, True, False, False]
        assert verdicts[3].retry_after == 60
        clock.shift(59.5)
        assert limits.hit("password", "ada", limit=3, seconds=60) == limits.Verdict(allowed=False, retry_after=1)
        clock.shift(0.5)
        assert limits.hit("password", "ada", limit=3, seconds=60).allowed


def test_names_and_keys_are_counted_apart() -> None:
    assert limits.hit("password", "ada", limit=1, seconds=60).allowed
    assert limits.hit("password", "bob", limit=1, seconds=60).allowed
    assert limits.hit("code", "ada", limit=1, seconds=60).allowed
    assert not limits.hit("password", "ada", limit=1, seconds=60).allowed


def test_peek_counts_nothing_and_clear_forgets() -> None:
    assert limits.peek("code", "ada", limit=1).allowed
    assert limits.peek("code", "ada", limit=1).allowed
    assert limits.hit("code", "ada", limit=1, seconds=60).allowed
    blocked = limits.peek("code", "ada", limit=1)
    assert not blocked.allowed
    assert 0 < blocked.retry_after <= 60
    limits.clear("code", "ada")
    assert limits.peek("code", "ada", limit=1).allowed


def test_the_table_holds_no_address_and_takes_any_text() -> None:
    for key in ("ada@example.org", "\x00\udcff", "", "x" * 100_000):
        assert limits.hit("password", key, limit=1, seconds=60).allowed
    assert all(len(bytes(row.key)) == 32 for row in Limit.objects.all())


def test_a_flood_does_not_overflow_the_count() -> None:
    for _ in range(10):
        limits.hit("code", "ada", limit=2, seconds=60)
    assert Limit.objects.get().count == 3


def test_windows_that_are_over_leave_while_serving() -> None:
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        for number in range(300):
            limits.hit("ip", f"first {number}", limit=1, seconds=10)
        assert Limit.objects.count() == 300
        clock.shift(11)
        for number in range(100):
            limits.hit("ip", f"second {number}", limit=1, seconds=10)
        assert Limit.objects.count() <= 100
