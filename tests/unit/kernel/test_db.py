"""The short way to PostgreSQL answers what Django's cursor answers, and notices what Django's cursor notices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from idp.accounts.models import User
from idp.kernel import db
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
def test_statements_that_the_server_forgot_are_sent_whole_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseWrapper, "prepares", True)  # and put back afterwards
    assert db.row("SELECT 41 + 1", []) == (42,)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as behind a PgBouncer that changes servers
    assert db.row("SELECT 41 + 1", []) == (42,)
    assert not DatabaseWrapper.prepares
