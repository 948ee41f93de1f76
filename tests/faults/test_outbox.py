"""Real Redis, real Celery worker and beat, real SMTP, and what kills them (RC-01, RC-02, RC-08, RC-10; FT-07, FT-08, EM-17)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pytest
import redis as redis_client
from aiosmtpd.controller import Controller

from tests.support import production, servers
from tests.support.stem import stem

pytestmark = [pytest.mark.needs("redis", "postgresql"), pytest.mark.postgresql, pytest.mark.slow]

CANARY = "canary-918273"
# The application's side: for each line on standard input puts mails in the outbox, one transaction each, and says how long each took.
APPLICATION = """
import json, sys, time, django
django.setup()
from django.db import transaction
from idp.events import outbox
for line in sys.stdin:
    seconds = []
    for subject in json.loads(line):
        began = time.monotonic()
        with transaction.atomic():
            to = subject.replace(" ", "-") + "-ada@example.org"  # a mailbox of its own: one gets no more than sixty an hour
            outbox.enqueue(receiver="mail", payload={"to": to, "subject": subject, "text": "canary-918273"})
        seconds.append(time.monotonic() - began)
    outbox._waker.flush(5)
    print(json.dumps(seconds), flush=True)
"""
ROWS = "SELECT id, state, attempts, payload, last_error FROM events_delivery ORDER BY id"
# The pause before the next attempt is over, as far as the database knows.
HURRY = "UPDATE events_delivery SET due_at = now() WHERE state = 'waiting' AND lease_until IS NULL"
# So are the leases of workers, none of which lives any more.
LEASES_ARE_OVER = "UPDATE events_delivery SET due_at = now() WHERE state = 'waiting'"
# A publication that the caller waits for takes a quarter of a second at least when Redis does not answer.
AT_ONCE = 0.2


@dataclass
class Sink:
    """An SMTP server that keeps what it took: subjects by Message-ID. `answer` may refuse, `entered` tells that a mail is under way."""

    took: list[tuple[str, str]] = field(default_factory=list)
    answer: str = ""
    seconds: float = 0.0
    entered: threading.Event = field(default_factory=threading.Event)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        import asyncio
        import email

        self.entered.set()
        await asyncio.sleep(self.seconds)
        if self.answer:
            return self.answer
        message = email.message_from_bytes(envelope.content)
        self.took.append((message["Message-ID"], message["Subject"]))
        return "250 OK"


class House:
    """One installation: database, broker, mail server, application, and whatever workers a test starts."""

    def __init__(self, stack: ExitStack) -> None:
        self.begun: list[servers.Server] = []
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.database = stack.enter_context(servers.postgresql())
        self.broker = stack.enter_context(servers.redis())
        self.sink = Sink()
        controller = Controller(self.sink, hostname="127.0.0.1", port=servers.free_port())
        controller.start()
        stack.callback(controller.stop)
        self.environ = servers.child_environ(
            **production.environment(str(self.folder))
            | {
                "IDP_DATABASE_URL": self.database.url,
                "IDP_REDIS_URL": f"{self.broker.url}/0",
                "IDP_EMAIL_URL": f"smtp://127.0.0.1:{controller.port}",
                "DJANGO_SETTINGS_MODULE": "tests.faults.hasty",
            }
        )
        self.stem = stack.enter_context(stem(self.environ))
        assert self.stem.branch("migrate", "--verbosity=0", log=self.folder / "migrate.log").wait(60) == 0
        self.application = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", APPLICATION],
                env=self.environ,
                cwd=servers.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(self.application.kill)

    def enqueue(self, *subjects: str) -> list[float]:
        """Seconds that each transaction took."""
        assert self.application.stdin
        assert self.application.stdout
        self.application.stdin.write(json.dumps(subjects) + "\n")
        self.application.stdin.flush()
        seconds: list[float] = json.loads(self.application.stdout.readline())
        return seconds

    def sql(self, statement: str) -> list[list[Any]]:
        with psycopg.connect(self.database.url) as connection:
            cursor = connection.execute(statement)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []

    def rows(self) -> list[list[Any]]:
        """Id, state, attempts, payload, last error."""
        return self.sql(ROWS)

    def worker(self, concurrency: int = 1) -> servers.Server:
        server = self._begin("worker", "--concurrency", str(concurrency))
        server.wait()
        return server

    def beat(self) -> servers.Server:
        """Starts while the test goes on."""
        return self._begin("beat")

    def _begin(self, command: str, *options: str) -> servers.Server:
        log = self.folder / f"{len(self.begun)}.log"
        server = servers.Server(command, self.stem.branch(command, *options, log=log), log)
        server.answers = lambda: f"{command} ready" in server.log
        self.begun.append(server)
        return server

    def redis(self) -> Any:
        return redis_client.Redis.from_url(self.broker.url, socket_timeout=2)

    def leave(self) -> None:
        """As it was before the first test."""
        for server in self.begun:
            server.begin_stop()
        for server in self.begun:
            server.stop()
            server.log_path.unlink(missing_ok=True)
        self.begun.clear()
        self.sql("TRUNCATE events_delivery")
        self.redis().flushall()
        self.sink.__init__()  # type: ignore[misc]


@pytest.fixture(scope="module")
def standing() -> Iterator[House]:
    with ExitStack() as stack:
        yield House(stack)


@pytest.fixture
def house(standing: House) -> Iterator[House]:
    yield standing
    standing.leave()


def wait(until: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def test_a_worker_killed_in_the_middle_of_a_mail_loses_nothing(house: House) -> None:
    house.sink.seconds = 30
    worker = house.worker()
    house.enqueue("one")
    assert house.sink.entered.wait(60), worker.log
    worker.kill()
    [[row, state, attempts, payload, _]] = house.rows()
    assert (state, attempts) == ("waiting", 1)
    assert payload
    house.sink.seconds = 0
    house.sql(LEASES_ARE_OVER)
    house.beat()
    second = house.worker()
    wait(lambda: bool(house.sink.took))
    wait(lambda: house.rows()[0][1] == "done")
    [[again, state, attempts, payload, _]] = house.rows()
    assert (again, state, attempts, payload) == (row, "done", 2, "")
    assert {identifier for identifier, _ in house.sink.took} == {f"<{row.hex}@id.example.org>"}
    assert CANARY not in worker.log + second.log


def test_random_kills_lose_and_invent_nothing(house: House) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    house.sink.seconds = 0.02
    subjects = [str(number) for number in range(60)]
    house.beat()
    house.enqueue(*subjects)
    for _ in range(3):
        worker = house.worker()
        time.sleep(dice.uniform(0.0, 0.5))
        worker.kill()
    house.sql(LEASES_ARE_OVER)
    house.worker()
    wait(lambda: {subject for _, subject in house.sink.took} >= set(subjects))
    wait(lambda: all(row[1] == "done" for row in house.rows()))
    # At least once; a mail that came twice is recognisable by its id.
    identifiers: dict[str, set[str]] = {}
    for identifier, subject in house.sink.took:
        identifiers.setdefault(subject, set()).add(identifier)
    assert set(identifiers) == set(subjects)
    assert all(len(ids) == 1 for ids in identifiers.values())
    assert sum(count - 1 for count in Counter(house.sink.took).values()) <= 3, "at most the mail under way at each kill comes twice"


def test_redis_hanging_neither_fails_nor_delays_the_change(house: House) -> None:
    house.broker.process.send_signal(signal.SIGSTOP)
    try:
        assert median(house.enqueue(*"abcdefghij")) < AT_ONCE
    finally:
        house.broker.process.send_signal(signal.SIGCONT)
    worker = house.worker()
    house.beat()
    wait(lambda: len(house.sink.took) == 10)
    assert CANARY not in worker.log


def test_redis_holds_no_word_of_a_mail_and_the_task_has_no_arguments(house: House) -> None:
    house.enqueue("secret")
    client = house.redis()
    messages = client.lrange("kairos", 0, -1)
    assert len(messages) == 1
    stored = b"".join(client.dump(key) for key in client.scan_iter())
    assert b"ada@example.org" not in stored
    assert CANARY.encode() not in stored
    headers = json.loads(messages[0])["headers"]
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("()", "{}")
    assert CANARY not in str(house.rows())


def test_two_beats_do_no_harm(house: House) -> None:
    house.sink.seconds = 0.3
    house.beat()
    house.beat()
    house.worker(concurrency=2)
    house.enqueue(*"abcdef")
    wait(lambda: all(row[1] == "done" for row in house.rows()))
    assert sorted(subject for _, subject in house.sink.took) == list("abcdef")


def test_smtp_down_for_a_while(house: House) -> None:
    house.sink.answer = "451 4.3.0 Try again later"
    house.beat()
    worker = house.worker()
    house.enqueue("patience")
    wait(lambda: house.rows()[0][4] == "content deferred (451)")
    house.sql(HURRY)
    wait(lambda: house.rows()[0][2] == 2 and house.rows()[0][4] != "")
    house.sink.answer = ""
    house.sql(HURRY)
    wait(lambda: house.rows()[0][1] == "done")
    assert len(house.sink.took) == 1
    assert CANARY not in worker.log


def test_a_worker_asked_to_stop_finishes_its_mail(house: House) -> None:
    house.sink.seconds = 2
    worker = house.worker()
    house.enqueue("last")
    assert house.sink.entered.wait(60)
    assert worker.stop() == 0
    assert [row[1] for row in house.rows()] == ["done"]
    assert len(house.sink.took) == 1


def test_redis_gone_neither_fails_nor_delays_the_change(standing: House) -> None:
    """The last one: afterwards the house has no broker any more."""
    standing.broker.kill()
    assert median(standing.enqueue(*"abcdefghij")) < AT_ONCE
    assert [row[1] for row in standing.rows()] == ["waiting"] * 10
