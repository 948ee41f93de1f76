"""The connection. `run` is the short way: one call into libpq per statement, prepared on the server.

`run_together` sends several statements in one round trip; what was given to `defer` travels with the next one, or with COMMIT.

Everything else (ORM, migrations, `connection.cursor()`) is Django's own. Django's cursor interpolates values on the client, plans
every statement anew and passes a dozen layers; per statement `run` costs a sixth of the Python time and a third of the server's.
"""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.db.backends.postgresql import base
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus

DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
TEXT, BINARY = 0, 1
_encode = json.JSONEncoder(separators=(",", ":")).encode
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
# The server behind this connection is not the one that prepared the statement (PgBouncer before 1.21 in transaction mode), or a
# migration changed a column under it: PREPARE is then given up for the life of the process.
NOT_PREPARED_HERE = (b"26000", b"42P05", b"0A000")


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _moment(data: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int.from_bytes(data, "big", signed=True))


# PostgreSQL's binary formats of the column types that we have, by type OID (pg_type.dat). JSON stays a text, as Django has it.
READ: dict[int, Callable[[bytes], Any]] = {
    16: lambda data: data == b"\x01",  # boolean
    17: bytes,  # bytea
    20: _integer,
    21: _integer,
    23: _integer,
    25: bytes.decode,  # text
    1043: bytes.decode,  # varchar
    114: bytes.decode,  # json
    3802: lambda data: data[1:].decode(),  # jsonb: one byte of version
    1184: _moment,  # timestamptz
    2950: lambda data: UUID(bytes=data),
}


def _text(value: str) -> bytes:
    if "\x00" in value:  # libpq would cut the text there
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


def _json(value: Any) -> bytes:
    return _encode(value).encode()


# A value as text, whose type the server takes from where it stands; None and bytes go as they are, in binary format.
WRITE: dict[type, Callable[[Any], bytes | None]] = {
    type(None): lambda value: None,
    bytes: lambda value: value,
    str: _text,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    datetime: lambda value: value.isoformat().encode(),
    UUID: lambda value: str(value).encode(),
    dict: _json,
    list: _json,
}


def _rule(kind: type) -> Callable[[Any], bytes | None]:
    """How values of a subclass are sent (safe strings, choices): as those of the class that it extends."""
    for known in kind.__mro__:
        if known in WRITE:
            return WRITE[known]
    raise TypeError(f"no rule how to send {kind.__name__}")


@lru_cache(maxsize=512)
def _numbered(sql: str) -> bytes:
    """`%s` as `$1`, `$2`, …; statements are constants of the code, so they are few."""
    parts = sql.split("%s")
    text = "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], start=1)) + parts[-1]
    return text.replace("%%", "%").encode()


class Statement(NamedTuple):
    """One for the server: under the name by which it knows it, or whole."""

    name: bytes
    text: bytes
    values: Sequence[bytes | None] = ()
    formats: Sequence[int] = ()


BEGIN, COMMIT = Statement(b"", b"BEGIN"), Statement(b"", b"COMMIT")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper plus `run`, `run_together` and `defer`."""

    prepares = True
    health_check_done: bool  # Django's, unknown to its type stubs

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deferred: list[Statement] = []

    @property
    def is_watched(self) -> bool:
        """Somebody counts or intercepts statements (tests, a debugger): they must pass Django's cursor."""
        return self.queries_logged or bool(self.execute_wrappers)

    def run(self, sql: str, parameters: Sequence[Any]) -> tuple[list[tuple[Any, ...]], int]:
        """The rows of a statement and how many it touched. Raises what Django's cursor raises, and marks the connection like it."""
        connection = self._ready()
        with self.wrap_database_errors:
            pgconn = connection.pgconn
            statement = self._statement(connection, sql, parameters)
            if self._deferred or (not connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE):
                result = self._together(connection, statement)[-1]
            else:
                # A call that lets other threads run while it waits.
                result = _exec(pgconn, statement)
                if result.status not in DONE:
                    if self._forgot(result) and pgconn.transaction_status == TransactionStatus.IDLE:
                        result = _exec(pgconn, statement._replace(name=b""))
                    _check(pgconn, result)
            return _rows(result), result.command_tuples or 0

    def run_together(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
        """The rows of each statement, all in one round trip."""
        connection = self._ready()
        with self.wrap_database_errors:
            results = self._together(connection, *[self._statement(connection, sql, parameters) for sql, parameters in statements])
            return [_rows(result) for result in results[-len(statements) :]]

    def defer(self, sql: str, parameters: Sequence[Any]) -> None:
        """A change in a transaction that nobody asks anything of: it leaves with the next statement or with COMMIT, in their round trip.

        Its order among the statements stays. What the server has against it is raised there, and before COMMIT in any case.
        """
        connection = self._ready()
        with self.wrap_database_errors:
            self._deferred.append(self._statement(connection, sql, parameters))

    def _ready(self) -> Any:
        """The connection of psycopg, as Django's cursor would find it."""
        if not self.health_check_done:
            self.close_if_health_check_failed()
        if self.connection is None:
            self.ensure_connection()
        super().validate_no_broken_transaction()
        return self.connection

    def validate_no_broken_transaction(self) -> None:
        """Django asks before each statement of a cursor: what was deferred comes first."""
        super().validate_no_broken_transaction()
        if self._deferred:
            with self.wrap_database_errors:
                self._together(self.connection)

    def _together(self, connection: Any, *last: Statement) -> list[Any]:
        """BEGIN if it is due, what was deferred, and `last`, in one round trip; the results in this order."""
        pgconn, statements = connection.pgconn, [*self._deferred, *last]
        self._deferred = []
        begins = not connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE
        if begins:
            statements.insert(0, BEGIN)
        results = _pipeline(pgconn, statements)
        failed = next((result for result in results if result.status not in DONE), None)
        if failed is not None and self._forgot(failed) and begins and pgconn.status == ConnStatus.OK:
            pgconn.exec_(b"ROLLBACK")  # nothing came before: all of it is sent again, whole
            results = _pipeline(pgconn, [one._replace(name=b"") for one in statements])
            failed = next((result for result in results if result.status not in DONE), None)
        if failed is not None:
            _check(pgconn, failed)
        return results

    def _forgot(self, result: Any) -> bool:
        """Whether the server does not know what was prepared; it is not asked to again."""
        forgot = result.error_field(DiagnosticField.SQLSTATE) in NOT_PREPARED_HERE
        if forgot:
            DatabaseWrapper.prepares = False
        return forgot

    def _statement(self, connection: Any, sql: str, parameters: Sequence[Any]) -> Statement:
        text = _numbered(sql)
        values = [(WRITE.get(type(value)) or _rule(type(value)))(value) for value in parameters]
        formats = [BINARY if sent is value else TEXT for sent, value in zip(values, parameters, strict=True)]
        return Statement(self._prepared(connection, text) if self.prepares else b"", text, values, formats)

    def _prepared(self, connection: Any, statement: bytes) -> bytes:
        """The name under which this connection's server knows the statement; empty = send it as it is."""
        names: dict[bytes, bytes] = connection.__dict__.setdefault("kairos_prepared", {})
        name = names.get(statement)
        if name is None:
            name = b"kairos_%d" % len(names)
            result = connection.pgconn.prepare(name, statement)
            if self._forgot(result):
                return b""
            _check(connection.pgconn, result)
            names[statement] = name
        return name

    def _commit(self) -> None:
        if self.connection is None or self.is_watched:
            super()._commit()  # type: ignore[misc]
            return
        with self.wrap_database_errors:
            pgconn = self.connection.pgconn
            if self._deferred:
                self._together(self.connection, COMMIT)
            elif pgconn.transaction_status != TransactionStatus.IDLE:
                _check(pgconn, pgconn.exec_(COMMIT.text))

    def _rollback(self) -> None:
        self._deferred = []
        super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        self._deferred = []  # SAVEPOINT was a statement of a cursor: these came after it
        super()._savepoint_rollback(sid)  # type: ignore[misc]

    def close(self) -> None:
        """What was not sent is lost with the transaction that it belonged to."""
        self._deferred = []
        super().close()

    def is_usable(self) -> bool:
        """Asked before the first statement of a request on a kept connection, and after an error.

        A server that went away, or was told to shut down, has closed or written to the socket: seeing that costs no round trip.
        """
        if self.connection is None or self.errors_occurred:
            return bool(super().is_usable())
        pgconn = self.connection.pgconn
        if pgconn.status != ConnStatus.OK:
            return False
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        return not poll.poll(0)


def _exec(pgconn: Any, one: Statement) -> Any:
    if one.name:
        return pgconn.exec_prepared(one.name, one.values, one.formats, BINARY)
    return pgconn.exec_params(one.text, one.values, None, one.formats, BINARY)


def _pipeline(pgconn: Any, statements: Sequence[Statement]) -> list[Any]:
    pgconn.enter_pipeline_mode()
    try:
        for one in statements:
            if one.name:
                pgconn.send_query_prepared(one.name, one.values, one.formats, BINARY)
            else:
                pgconn.send_query_params(one.text, one.values, None, one.formats, BINARY)
        pgconn.pipeline_sync()
        return _results(pgconn)
    finally:
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()


def _results(pgconn: Any) -> list[Any]:
    """What the server answers to each statement of a pipeline, up to the end of it.

    The waiting is done by `poll`, which lets other threads run. libpq's get_result does not: a thread that waited in it for a row
    lock would stop the one that holds the row.
    """
    results: list[Any] = []
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN)
    while pgconn.flush():  # more than the socket takes at once
        select.select([pgconn.socket], [pgconn.socket], [])
        pgconn.consume_input()
    while pgconn.status == ConnStatus.OK:
        if pgconn.is_busy():
            socket.poll()
            pgconn.consume_input()
            continue
        result = pgconn.get_result()
        if result is None:
            continue  # the end of one statement's results
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)
    raise psycopg.OperationalError("the connection to the database is lost")


def _check(pgconn: Any, result: Any) -> None:
    if result.status in DONE:
        return
    if pgconn.status == ConnStatus.BAD:
        raise psycopg.OperationalError("the connection to the database is lost")
    raise error_from_result(result)


def _rows(result: Any) -> list[tuple[Any, ...]]:
    count, width = result.ntuples, result.nfields
    if not count:
        return []
    read = [READ[result.ftype(column)] for column in range(width)]
    get = result.get_value
    return [tuple([None if (data := get(row, column)) is None else read[column](data) for column in range(width)]) for row in range(count)]
