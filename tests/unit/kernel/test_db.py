"""The short way to PostgreSQL answers what Django's cursor answers, and notices what Django's cursor notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from idp.accounts.models import User
from idp.kernel import db
from idp.kernel.postgresql import base
from idp.kernel.postgresql.base import DatabaseWrapper

pytestmark = [pytest.mark.django_db(transaction=True)]
short_way = pytest.mark.postgresql


class Choice(models.TextChoices):
    FIRST = "first"


MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
VALUES: dict[str, tuple[str, Any]] = {
    "text": ("text", "Zoë 'quoted' \\ 100 %"),
    "empty": ("text", ""),
    "choice": ("text", Choice.FIRST),
    "integer": ("integer", -7),
    "bigint": ("bigint", 2**61),
    "true": ("boolean", True),
    "false": ("boolean", False),
    "bytes": ("bytea", bytes(range(256))),
    "moment": ("timestamptz", MOMENT),
    "uuid": ("uuid", UUID("0f8fad5b-d9cb-469f-a165-70867728950e")),
    "nothing": ("text", None),
}


@short_way
@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_went(name: str) -> None:
    kind, value = VALUES[name]
    sql = f"SELECT %s::{kind}"
    direct = db.row(sql, [value])
    with CaptureQueriesContext(connection):  # watched: Django's cursor
        watched = db.row(sql, [value])
    assert direct == watched == (value,)


@short_way
def test_what_has_no_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="no rule how to send object"):
        db.row("SELECT %s::text", [object()])


@short_way
def test_json_is_written_and_read() -> None:
    found = db.row("SELECT %s::jsonb", [{"a": [1, "é"]}])
    assert found is not None
    assert db.as_json(found[0]) == {"a": [1, "é"]}


@short_way
def test_a_nul_is_refused_and_not_cut() -> None:
    with pytest.raises(DataError):
        db.row("SELECT %s::text", ["before\x00after"])


@short_way
def test_errors_are_django_s_and_end_the_transaction() -> None:
    person = User.objects.create(email="one@example.org")
    sql = 'INSERT INTO consent_consent SELECT * FROM consent_consent WHERE "user_id" = %s'
    assert db.change(sql, [person.pk]) == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        db.change("UPDATE accounts_user SET is_active = NULL WHERE id = %s", [person.pk])
    assert db.row("SELECT is_active FROM accounts_user WHERE id = %s", [person.pk]) == (True,)


def test_a_transaction_that_fails_leaves_nothing() -> None:
    person = User.objects.create(email="two@example.org")
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
        assert db.change("UPDATE accounts_user SET is_active = %s WHERE id = %s", [False, person.pk]) == 1
        raise RuntimeError
    assert User.objects.get(pk=person.pk).is_active


def test_a_transaction_that_ends_well_stays() -> None:
    person = User.objects.create(email="three@example.org")
    with transaction.atomic():
        db.change("UPDATE accounts_user SET is_active = %s WHERE id = %s", [False, person.pk])
        with transaction.atomic():
            db.change("UPDATE accounts_user SET email = %s WHERE id = %s", ["four@example.org", person.pk])
    again = User.objects.get(pk=person.pk)
    assert (again.is_active, again.email) == (False, "four@example.org")


DISABLE = "UPDATE accounts_user SET is_active = %s WHERE id = %s"
BREAK = "UPDATE accounts_user SET is_active = NULL WHERE id = %s"


def active(person: User) -> bool:
    return User.objects.get(pk=person.pk).is_active


@pytest.fixture
def sent() -> Iterator[list[bytes]]:
    """What goes to PostgreSQL, one entry per round trip: statements without their parameters."""
    trips: list[bytes] = []
    together, exec_ = DatabaseWrapper._together, base._exec

    def pipelined(self: DatabaseWrapper, connection: Any, *last: base.Statement) -> Any:
        trips.append(b"; ".join(one.text for one in [*self._deferred, *last]))
        return together(self, connection, *last)

    def alone(pgconn: Any, one: base.Statement) -> Any:
        trips.append(one.text)
        return exec_(pgconn, one)

    with mock.patch.object(DatabaseWrapper, "_together", pipelined), mock.patch.object(base, "_exec", alone):
        yield trips


@short_way
def test_what_is_deferred_travels_with_the_commit(sent: list[bytes]) -> None:
    person = User.objects.create(email="six@example.org")
    with transaction.atomic():
        db.row("SELECT 1", [])
        db.defer(DISABLE, [False, person.pk])
        db.defer("UPDATE accounts_user SET email = %s WHERE id = %s", ["seven@example.org", person.pk])
    assert len(sent) == 2
    assert sent[-1].startswith(b"UPDATE accounts_user SET is_active = $1")
    assert sent[-1].endswith(b"; COMMIT")
    again = User.objects.get(pk=person.pk)
    assert (again.is_active, again.email) == (False, "seven@example.org")


@short_way
def test_what_is_deferred_goes_before_the_next_statement(sent: list[bytes]) -> None:
    person = User.objects.create(email="eight@example.org")
    with transaction.atomic():
        db.defer(DISABLE, [False, person.pk])
        assert db.row("SELECT is_active FROM accounts_user WHERE id = %s", [person.pk]) == (False,)
        assert len(sent) == 1


def test_the_orm_sees_what_was_deferred() -> None:
    person = User.objects.create(email="nine@example.org")
    with transaction.atomic():
        db.defer(DISABLE, [False, person.pk])
        assert not active(person)
        db.defer(DISABLE, [True, person.pk])
        with connection.cursor() as cursor:
            cursor.execute("SELECT is_active FROM accounts_user WHERE email = 'nine@example.org'")
            assert cursor.fetchone() == (True,)


def test_outside_of_a_transaction_nothing_waits() -> None:
    person = User.objects.create(email="ten@example.org")
    db.defer(DISABLE, [False, person.pk])
    assert not active(person)


def test_a_transaction_that_fails_takes_along_what_was_deferred() -> None:
    person = User.objects.create(email="eleven@example.org")
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
        db.defer(DISABLE, [False, person.pk])
        raise RuntimeError
    with transaction.atomic():
        db.row("SELECT 1", [])
    assert active(person)


def test_a_savepoint_that_fails_takes_along_what_was_deferred_in_it() -> None:
    first, second = User.objects.create(email="twelve@example.org"), User.objects.create(email="thirteen@example.org")
    with transaction.atomic():
        db.defer(DISABLE, [False, first.pk])
        with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
            db.defer(DISABLE, [False, second.pk])
            raise RuntimeError
    assert (active(first), active(second)) == (False, True)


@short_way
def test_a_savepoint_that_fails_does_not_send_what_was_deferred_in_it() -> None:
    first, second = User.objects.create(email="twenty-two@example.org"), User.objects.create(email="twenty-three@example.org")
    with transaction.atomic():
        db.change(DISABLE, [False, first.pk])
        with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012
            db.defer(BREAK, [second.pk])  # would end the outer transaction too
            raise RuntimeError
    assert (active(first), active(second)) == (False, True)


def test_what_was_deferred_and_fails_ends_the_transaction() -> None:
    first, second = User.objects.create(email="fourteen@example.org"), User.objects.create(email="fifteen@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
        db.change(DISABLE, [False, first.pk])
        db.defer(BREAK, [second.pk])
    assert (active(first), active(second)) == (True, True)
    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
        db.defer(BREAK, [first.pk])
        db.change(DISABLE, [False, second.pk])
    assert (active(first), active(second)) == (True, True)


def test_a_savepoint_ends_with_what_was_deferred_in_it() -> None:
    first, second = User.objects.create(email="sixteen@example.org"), User.objects.create(email="seventeen@example.org")
    with transaction.atomic():
        db.defer(DISABLE, [False, first.pk])
        with pytest.raises(IntegrityError), transaction.atomic():
            db.defer(BREAK, [second.pk])
    assert (active(first), active(second)) == (False, True)


def test_the_rows_of_several_statements_at_once() -> None:
    person = User.objects.create(email="eighteen@example.org")
    with transaction.atomic():
        db.defer(DISABLE, [False, person.pk])
        assert db.together(
            ("UPDATE accounts_user SET email = %s WHERE id = %s RETURNING email", ["nineteen@example.org", person.pk]),
            ("SELECT id FROM accounts_user WHERE email = %s AND is_active = %s", ["nineteen@example.org", True]),
            ("SELECT email FROM accounts_user WHERE id = %s", [person.pk]),
        ) == [[("nineteen@example.org",)], [], [("nineteen@example.org",)]]
    assert db.together(("SELECT 1", []), ("SELECT 2", [])) == [[(1,)], [(2,)]]


@short_way
def test_a_pipeline_larger_than_the_socket_takes_arrives_whole() -> None:
    text = "x" * 3_000_000
    assert [len(found[0][0]) for found in db.together(*[("SELECT %s::text", [text])] * 4)] == [len(text)] * 4


@short_way
def test_who_waits_for_a_row_lets_others_run() -> None:
    # libpq's get_result would hold Python's lock: the thread that has the row could never give it back.
    person = User.objects.create(email="twenty@example.org")
    held, waits = threading.Event(), threading.Event()

    def holder() -> None:
        with transaction.atomic():
            db.change(DISABLE, [False, person.pk])
            held.set()
            waits.wait(10)
            time.sleep(0.2)
        connection.close()

    thread = threading.Thread(target=holder)
    thread.start()
    assert held.wait(10)
    with transaction.atomic():
        waits.set()
        began = time.monotonic()
        assert db.together((f"{DISABLE} RETURNING is_active", [True, person.pk])) == [[(True,)]]
    thread.join()
    assert 0.1 < time.monotonic() - began < 2  # lock_timeout is five seconds


@short_way
def test_a_server_that_goes_away_in_a_pipeline_is_an_error_of_the_database() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        db.together(("SELECT pg_terminate_backend(pg_backend_pid())::text", []), ("SELECT 1", []))
    connection.close()
    with transaction.atomic():
        assert db.row("SELECT 1", []) == (1,)


def test_an_object_read_by_plain_sql_is_the_object() -> None:
    person = User.objects.create(email="five@example.org", claims={"name": "Five"})
    found = db.row(f"SELECT {db.columns(User, 'u')} FROM accounts_user u WHERE id = %s", [person.pk])
    assert found is not None
    read, orm = db.instance(User, found), User.objects.get(pk=person.pk)
    assert {name: value for name, value in vars(read).items() if name != "_state"} == {
        name: value for name, value in vars(orm).items() if name != "_state"
    }


@short_way
def test_a_server_that_went_away_is_noticed_before_the_next_request() -> None:
    row = db.row("SELECT pg_backend_pid()", [])
    assert row is not None
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 2000)", [row[0]])
    finally:
        other.close()
    connection.close_if_unusable_or_obsolete()  # as at the end of a request: the next one looks again
    connection.health_check_enabled = True  # type: ignore[attr-defined]  # of the PostgreSQL back end
    assert db.row("SELECT 1", []) == (1,)


@short_way
def test_a_transaction_that_begins_with_what_the_server_forgot_is_sent_again_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseWrapper, "prepares", True)
    person = User.objects.create(email="twenty-one@example.org")
    read = ("SELECT is_active FROM accounts_user WHERE id = %s", [person.pk])
    assert db.together((f"{DISABLE} RETURNING is_active", [True, person.pk]), read) == [[(True,)], [(True,)]]
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with transaction.atomic():
        assert db.together((f"{DISABLE} RETURNING is_active", [False, person.pk]), read) == [[(False,)], [(False,)]]
    assert not active(person)
    assert not DatabaseWrapper.prepares


@short_way
def test_statements_that_the_server_forgot_are_sent_whole_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseWrapper, "prepares", True)  # and put back afterwards
    assert db.row("SELECT 41 + 1", []) == (42,)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as behind a PgBouncer that changes servers
    assert db.row("SELECT 41 + 1", []) == (42,)
    assert not DatabaseWrapper.prepares
