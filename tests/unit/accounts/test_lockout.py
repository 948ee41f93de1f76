"""Five wrong passwords, then fifteen minutes (hostile case PW-10), counted in the database."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from idp.accounts import lockout
from idp.accounts.models import GuessCounter

pytestmark = pytest.mark.django_db
KEY = b"k" * 32


def test_the_sixth_is_refused_for_fifteen_minutes():
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        taken = [lockout.reserve(KEY) for _ in range(5)]
        assert [one.allowed for one in taken] == [True] * 5
        assert [one.is_last for one in taken] == [False] * 4 + [True]
        refused = lockout.reserve(KEY)
        assert not refused.allowed
        assert 895 <= refused.retry_after <= 901
    with time_machine.travel(now + timedelta(seconds=899), tick=False):
        assert not lockout.reserve(KEY).allowed
    with time_machine.travel(now + timedelta(seconds=901), tick=False):
        again = lockout.reserve(KEY)
        assert again.allowed
        assert again.number == 1


def test_being_refused_does_not_prolong_the_lock():
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        for _ in range(5):
            lockout.reserve(KEY)
    with time_machine.travel(now + timedelta(minutes=14), tick=False):
        assert not lockout.reserve(KEY).allowed
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        assert lockout.reserve(KEY).allowed


def test_success_starts_the_count_again_and_other_keys_do_not_matter():
    for _ in range(4):
        lockout.reserve(KEY)
    lockout.clear(KEY)
    assert lockout.reserve(KEY).number == 1
    assert lockout.reserve(b"o" * 32).number == 1


def test_an_attempt_that_was_not_looked_at_does_not_count():
    for _ in range(5):
        lockout.reserve(KEY)
    lockout.give_back(KEY)
    assert lockout.reserve(KEY).is_last


def test_misses_are_forgotten_when_nobody_tries():
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        for _ in range(4):
            lockout.reserve(KEY)
    with time_machine.travel(now + timedelta(minutes=16), tick=False):
        assert lockout.reserve(KEY).number == 1


def test_old_counts_leave_in_batches():
    now = timezone.now()
    with time_machine.travel(now - timedelta(hours=1), tick=False):
        lockout.reserve(KEY)
    lockout.reserve(b"o" * 32)
    assert lockout.delete_expired() == 1
    assert GuessCounter.objects.count() == 1
