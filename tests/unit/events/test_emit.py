"""emit(): one row, one statement, in the caller's transaction, whatever the request held."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator

import pytest
import time_machine
from django.db import transaction

from idp.events import emit, log
from idp.events.catalogue import AccountCreated, ClientCreated, ConsentRevoked, Event, SignInFailed, TokensIssued
from idp.events.models import EventRecord
from idp.kernel import context, generations

ADA = uuid.UUID("6b0a8a0e-8a1c-4a3e-9a58-1a2b3c4d5e6f")
STAFF = uuid.UUID("0f0e0d0c-0b0a-4908-8706-050403020100")


@pytest.fixture
def request_context() -> Iterator[context.RequestContext]:
    here = context.RequestContext(request_id="r" * 32, ip="2001:db8::7", user_agent="Mozilla/5.0")
    token = context.enter(here)
    yield here
    context.leave(token)


@pytest.mark.django_db
def test_it_writes_who_what_when_and_from_where_in_one_statement(
    request_context: context.RequestContext, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    moment = dt.datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
    event = TokensIssued(client_id="app", grant_type="authorization_code", scope="openid email", resources=("https://api.example",))
    generations.forget()  # what a test before this one knew was rolled back
    emit(event)  # who wants events is read once and then known
    EventRecord.objects.all().delete()
    with time_machine.travel(moment, tick=False):
        generations.current("webhooks")  # asked for twice a second, by whoever comes first
        with django_assert_num_queries(1):  # type: ignore[operator]
            emit(event, person=ADA, by=STAFF)
    record = EventRecord.objects.get()
    assert (record.name, record.person, record.by, record.client_id) == ("tokens.issued", ADA, STAFF, "app")
    assert (record.ip, record.user_agent, record.request_id) == ("2001:db8::7", "Mozilla/5.0", "r" * 32)
    assert record.at == moment
    assert record.data == {"grant_type": "authorization_code", "scope": "openid email", "resources": ["https://api.example"]}


@pytest.mark.django_db
def test_outside_of_a_request_it_says_nothing_about_where() -> None:
    emit(AccountCreated(method="command"))
    record = EventRecord.objects.get()
    assert (record.person, record.by, record.client_id, record.ip, record.user_agent, record.request_id) == (None, None, "", "", "", "")
    assert record.data == {"method": "command"}


@pytest.mark.django_db(transaction=True)
def test_it_is_rolled_back_with_the_change() -> None:
    def change() -> None:
        with transaction.atomic():
            emit(ConsentRevoked(client_id="app"), person=ADA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert not EventRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["NUL \x00 inside", "lone \ud800 surrogate", "\x00" * 10, "ä" * 5000, "x" * 100_000, '"\\u0000'])
def test_no_text_makes_it_fail(text: str) -> None:
    token = context.enter(context.RequestContext(request_id=text, ip=text, user_agent=text))
    try:
        emit(SignInFailed(reason=text, client_id=text), person=ADA)
        emit(TokensIssued(client_id=text, grant_type=text, scope=text, resources=(text,) * 100), person=ADA)
    finally:
        context.leave(token)
    for record in EventRecord.objects.all():
        assert len(str(record.data)) < 40_000
        assert "\x00" not in record.user_agent


@pytest.mark.django_db
def test_records_are_read_in_the_order_of_writing() -> None:
    for number in range(20):
        emit(ClientCreated(client_id=str(number)))
    assert [record.client_id for record in EventRecord.objects.all()] == [str(number) for number in range(20)]


def test_an_event_outside_of_the_catalogue_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        emit(Event())


def test_the_statement_names_every_column_of_the_model() -> None:
    columns = ", ".join(f'"{field.column}"' for field in EventRecord._meta.concrete_fields)
    assert f"INSERT INTO {EventRecord._meta.db_table} ({columns}) VALUES" in log._INSERT
    assert all(log._VALUES in statement for statement in (log._INSERT, *log._COUNTED.values()))
