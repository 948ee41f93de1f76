"""Sealing while many write: nothing is skipped, nothing is sealed twice, whoever commits when."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from idp.audit import erasure, sealer
from idp.audit.models import Link, Stream
from idp.audit.verify import verify
from idp.events import catalogue, emit
from idp.events.models import EventRecord
from idp.oidc.keys import rotation
from tests.support.clauses import clause
from tests.support.racing import at_once

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

WRITERS, SEALERS, EACH = 6, 3, 40


@clause("hostile case OP-12")
def test_nothing_is_skipped_and_nothing_is_sealed_twice():
    """Transactions of different lengths commit in another order than that of their ids, one in five is rolled back."""
    rotation.ensure("ES256")
    written: list[int] = []  # by whom; an error of theirs ends the sealing as well

    def write(number: int) -> int:
        try:
            return write_all(number)
        finally:
            written.append(number)

    def write_all(number: int) -> int:
        dice = random.Random(number)
        kept = 0
        for _ in range(EACH):
            try:
                with transaction.atomic():
                    for _ in range(dice.randint(1, 4)):
                        emit(catalogue.SignInFailed(reason="password"), person=uuid4())
                        time.sleep(dice.random() / 200)
                    if dice.random() < 0.2:
                        raise ValueError
                kept += 1
            except ValueError:
                continue
        return kept

    def seal(_number: int) -> int:
        count = 0
        while len(written) < WRITERS:
            count += sealer.seal_due()
        return count

    at_once(WRITERS + SEALERS, lambda number: seal(number) if number < SEALERS else write(number))
    sealer.seal_due()
    assert Link.objects.count() == EventRecord.objects.count()
    assert sum(stream.seq for stream in Stream.objects.all()) == Link.objects.count()
    report = verify()
    assert (report.problems, report.waiting) == ([], 0)


def test_a_row_of_a_transaction_that_runs_for_long_is_not_settled_over(monkeypatch):
    """What holds the horizon back is the oldest running transaction, also when it is older than the safety lag."""
    # Not nothing: BEGIN leaves with the first statement, a moment after the id of the row was made.
    monkeypatch.setattr(sealer, "LAG", timedelta(milliseconds=100))
    monkeypatch.setattr(sealer, "SETTLE_EVERY", 0)

    def work(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                emit(catalogue.SignInFailed(reason="password"), person=uuid4())
                time.sleep(1.5)
        else:
            time.sleep(0.3)
            emit(catalogue.ClientCreated(client_id="app"))
            assert sealer.seal_due() == 1
            assert sealer.seal_due() == 0

    at_once(2, work)
    assert sealer.seal_due() == 1
    assert Link.objects.count() == EventRecord.objects.count() == 2


@clause("hostile case EV-10")
def test_somebody_who_is_erased_while_others_seal_leaves_nothing_that_looks_changed():
    """Otherwise a salt could be kept for values that are gone, or an address stay in a row that was sealed a moment later."""
    rotation.ensure("ES256")
    people = [uuid4() for _ in range(20)]
    for person in people * 5:
        emit(catalogue.SignInFailed(reason="password"), person=person)

    def work(number: int) -> None:
        for person in people[number::4]:
            sealer.seal_due()
            erasure.forget(person)

    at_once(4, work)
    sealer.seal_due()
    assert verify().problems == []
    assert not EventRecord.objects.exclude(person=None).exists()
