"""The web process as a program: stop with requests in flight, crash, a taken port, set-up that runs twice (hostile case FT-11)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.processes import cpu_seconds
from tests.support.clauses import clause
from tests.support.servers import ROOT, DidNotStart, Server, branch, child, child_environ, development_environ, free_port, listens, manage
from tests.support.stem import Stem, stem

pytestmark = [pytest.mark.slow, pytest.mark.embedded, pytest.mark.usefixtures("django_db_setup")]
IN_FLIGHT = 50
BODY = b"grant_type=client_credentials&client_id=nobody"


@pytest.fixture(scope="module")
def environ(django_db_setup: None) -> Iterator[dict[str, str]]:
    with development_environ() as environ:
        yield environ


@pytest.fixture(scope="module")
def grown(environ: dict[str, str]) -> Iterator[Stem]:
    with stem(environ) as grown:
        yield grown


@contextmanager
def site(grown: Stem, environ: dict[str, str], *options: str) -> Iterator[Server]:
    """Starts as `make run` does, up to the loading of the code."""
    with branch(grown, "run_development", *options, environ=environ) as server:
        server.wait()
        yield server


def half_a_request(port: int) -> socket.socket:
    """A token request whose body has not arrived completely: it is in flight until the rest comes."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    head = f"POST /token HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(BODY)}\r\n\r\n"
    connection.sendall(head.encode() + BODY[:10])
    return connection


def rest_of_it(connection: socket.socket) -> bytes:
    with connection:
        connection.sendall(BODY[10:])
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
            if b'"error"' in answer and answer.rstrip().endswith(b"}"):
                break
        return answer


@clause("hostile case FT-11")
def test_sigterm_lets_every_request_in_flight_finish(grown: Stem, environ: dict[str, str]) -> None:
    with site(grown, environ, "--threads", str(IN_FLIGHT)) as server, ThreadPoolExecutor(IN_FLIGHT) as pool:
        waiting = list(pool.map(lambda _: half_a_request(server.port), range(IN_FLIGHT)))
        time.sleep(0.5)
        server.begin_stop()
        time.sleep(0.5)
        answers = list(pool.map(rest_of_it, waiting))
        assert server.stop() == 0
        statuses = {answer.split(b" ", 2)[1] for answer in answers}
        assert statuses <= {b"401", b"429"}, answers  # answered in full, each: an unknown client, then too many of them
        assert not listens(server.port)


def test_ctrl_c_stops_parent_and_worker_at_once(grown: Stem, environ: dict[str, str]) -> None:
    # A terminal sends SIGINT to the whole group: here to each process in turn.
    with site(grown, environ) as server:
        for pid in server.pids():
            os.kill(pid, signal.SIGINT)
        assert server.process.wait(15) == 0
        assert not listens(server.port)


def test_workers_of_a_killed_parent_go_too(grown: Stem, environ: dict[str, str]) -> None:
    with site(grown, environ) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        deadline = time.monotonic() + 15
        while listens(server.port) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not listens(server.port)


def test_a_taken_port_is_one_clear_line(grown: Stem, environ: dict[str, str]) -> None:
    with site(grown, environ) as server, branch(grown, "serve", environ=environ) as second:
        assert second.process.wait(60) == 1
        assert f"port {server.port}" in second.log
        assert second.log.count("\n") <= 2
        assert "Traceback" not in second.log


def test_the_second_start_changes_nothing_and_costs_little(tmp_path: Path) -> None:
    environ = child_environ(IDP_ENV="development", IDP_DATA_DIR=str(tmp_path), PORT=str(free_port()))
    said = []
    for _ in range(2):
        with child("development", [sys.executable, ROOT / "manage.py", "run_development"], environ=environ) as server:
            server.wait_until(lambda port=int(environ["PORT"]): listens(port))  # type: ignore[misc]
            used = cpu_seconds(server.pids())
            said.append(server.log[server.log.index("Kairos ID is ready.") :].partition("Ctrl-C")[0])
        assert "Traceback" not in said[-1]
    assert said[0] == said[1]
    # Under 3 seconds on a quiet machine. Processor time, because a busy one only stretches that, by two thirds or so.
    assert used < 5
    assert f"http://localhost:{environ['PORT']}/login" in said[0]
    assert (tmp_path / "demo.json").stat().st_mode & 0o077 == 0
    demo = json.loads((tmp_path / "demo.json").read_text())
    assert demo["password"] in said[0]
    assert json.loads(manage(environ, "user", "show", demo["email"], "--json"))["email"] == demo["email"]


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_without_redis_there_is_no_separate_worker(command: str, grown: Stem, environ: dict[str, str]) -> None:
    with branch(grown, command, environ=environ) as server:
        assert server.process.wait(60) == 1
        assert "IDP_REDIS_URL" in server.log


def test_production_without_collected_files_says_so(tmp_path: Path) -> None:
    from tests.support import production

    environ = child_environ(**production.environment(str(tmp_path))) | {"IDP_STATIC_DIR": str(tmp_path / "none"), "PORT": str(free_port())}
    with pytest.raises(DidNotStart, match="collectstatic"):
        manage(environ, "serve")
