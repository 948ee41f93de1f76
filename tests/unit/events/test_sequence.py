"""The per-person sequence, the streams, the monthly partitions and what leaves them."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from idp.events import emit, partitions
from idp.events.catalogue import CATALOGUE, KEPT, AccountEnabled, ClientCreated, SignInFailed, Stream, TokensRefreshed, stream_of
from idp.events.models import EventRecord, PersonSequence

ADA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


def numbers(person: uuid.UUID) -> list[int | None]:
    return list(EventRecord.objects.filter(person=person).order_by("sequence").values_list("sequence", flat=True))


@pytest.mark.django_db
def test_each_person_has_a_sequence_of_their_own_without_gap() -> None:
    for _ in range(3):
        emit(AccountEnabled(), person=ADA)
        emit(SignInFailed(reason="x"), person=BOB)
    emit(ClientCreated(client_id="app"))
    emit(TokensRefreshed(client_id="app", scope="openid"), person=ADA)
    assert EventRecord.objects.get(name="tokens.refreshed").sequence is None
    EventRecord.objects.filter(name="tokens.refreshed").delete()
    assert numbers(ADA) == numbers(BOB) == [1, 2, 3]
    assert EventRecord.objects.get(name="client.created").sequence is None
    assert dict(PersonSequence.objects.values_list("person", "last")) == {ADA: 3, BOB: 3}


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_leaves_no_gap() -> None:
    """Hostile cases EV-01, EV-04."""
    emit(AccountEnabled(), person=ADA)
    try:
        with transaction.atomic():
            emit(AccountEnabled(), person=ADA)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    emit(AccountEnabled(), person=ADA)
    assert numbers(ADA) == [1, 2]


@pytest.mark.django_db
def test_retention_does_not_restart_a_sequence() -> None:
    emit(AccountEnabled(), person=ADA)
    EventRecord.objects.all().delete()
    emit(AccountEnabled(), person=ADA)
    assert numbers(ADA) == [2]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_numbers_follow_the_commits_whatever_the_order_of_the_calls() -> None:
    """Hostile case EV-04: the second transaction waits for the first one's row."""
    first_counted, second_done = threading.Event(), threading.Event()
    seen: list[str] = []

    def first() -> None:
        with transaction.atomic():
            emit(AccountEnabled(), person=ADA)
            first_counted.set()
            assert not second_done.wait(0.3)
            seen.append("first commits")
        connection.close()

    def second() -> None:
        first_counted.wait(5)
        emit(SignInFailed(reason="x"), person=ADA)
        seen.append("second done")
        second_done.set()
        connection.close()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == ["first commits", "second done"]
    assert list(EventRecord.objects.order_by("sequence").values_list("name", "sequence")) == [("account.enabled", 1), ("sign_in.failed", 2)]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_event_has_a_stream_that_says_how_long_it_is_kept(name: str) -> None:
    assert KEPT[stream_of(name)] >= dt.timedelta(days=30)


@pytest.mark.django_db
@pytest.mark.parametrize("stream", list(Stream))
def test_records_leave_when_the_catalogue_says_so(stream: Stream) -> None:
    kinds = {"account": "account.enabled", "security": "sign_in.failed", "traffic": "tokens.refreshed", "system": "client.created"}
    born = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    with time_machine.travel(born, tick=False) as clock:
        emit(AccountEnabled(), person=ADA)
        emit(SignInFailed(reason="x"), person=ADA)
        emit(TokensRefreshed(client_id="app", scope="openid"), person=ADA)
        emit(ClientCreated(client_id="app"))
        clock.move_to(born + KEPT[stream] - dt.timedelta(minutes=1))
        partitions.keep_in_order()
        assert EventRecord.objects.filter(name=kinds[stream]).exists()
        clock.move_to(born + KEPT[stream] + dt.timedelta(days=1))
        partitions.keep_in_order()
        assert not EventRecord.objects.filter(name=kinds[stream]).exists()
        kept = {name for name in kinds.values() if EventRecord.objects.filter(name=name).exists()}
        assert kept == {kinds[other] for other in Stream if KEPT[other] > KEPT[stream]}


def tables() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM events_eventrecord GROUP BY 1")
        return dict(cursor.fetchall())


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_month_that_was_made_too_late_takes_over_what_the_default_caught() -> None:
    emit(AccountEnabled(), person=ADA)
    here = dt.datetime.now(dt.UTC)
    assert tables() == {f"events_eventrecord_account_{here:%Y%m}": 1}
    later = here + dt.timedelta(days=400)
    with time_machine.travel(later):
        emit(SignInFailed(reason="x"), person=ADA)
        emit(ClientCreated(client_id="app"))
        assert tables()["events_eventrecord_security_default"] == 1
        made = partitions.make_ahead()
        assert f"events_eventrecord_security_{later:%Y%m}" in made
        assert tables()[f"events_eventrecord_security_{later:%Y%m}"] == 1
        assert partitions.make_ahead() == []
    assert EventRecord.objects.count() == 3
    assert EventRecord.objects.filter(person=ADA).count() == 2


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_whole_month_is_dropped_and_only_that() -> None:
    here = dt.datetime.now(dt.UTC)
    emit(TokensRefreshed(client_id="app", scope="openid"), person=ADA)
    name = f"events_eventrecord_traffic_{here:%Y%m}"
    with time_machine.travel(here + dt.timedelta(days=150)):
        assert name in partitions.drop_expired()
    assert not EventRecord.objects.exists()
    assert set(partitions.make_ahead()) >= {name}


@pytest.mark.postgresql
@pytest.mark.django_db
def test_an_id_is_looked_up_in_its_own_month_only() -> None:
    emit(AccountEnabled(), person=ADA)
    record: Any = EventRecord.objects.get()
    plan = EventRecord.objects.filter(pk=record.pk).explain()
    assert f"account_{record.at:%Y%m}" in plan
    following = partitions._month(partitions._month(record.at) + dt.timedelta(days=32))
    assert f"_{following:%Y%m}" not in plan
