"""Real servers for tests, each as a child process on a free loopback port: PostgreSQL, Redis, web, worker, beat, nginx.

Every function here is a context manager: it starts the server, waits until that answers, hands out a small value with its
address, and stops it at the end. Children also stop when the test process is killed. What they printed is in `.log`.

    with postgresql() as database, redis() as broker:
        environ = production_environ(database=database.url, redis=broker.url, ...)
        with web(environ) as provider:
            httpx.get(f"{provider.url}/livez")

A program that this machine lacks raises `Missing`, with the package to install.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import programs

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30
STOP_SECONDS = 30


class Missing(Exception):
    """A program is not installed here; the text names the package."""


class DidNotStart(Exception):
    """A server ended or stayed silent; the text holds the end of what it printed."""


@dataclass
class Server:
    """A running child process. `url` is where it answers; `port` the same as a number."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    port: int = 0
    url: str = ""
    stop_signal: int = signal.SIGTERM
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """Everything that it printed so far."""
        return self.log_path.read_text(errors="replace")

    def stop(self, *, seconds: float = STOP_SECONDS) -> int:
        """Ask it to stop, wait, kill after `seconds`; returns the exit status (negative = signal)."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        """As a crash would: SIGKILL to it and to the processes it started."""
        with_children = [self.process.pid, *_children(self.process.pid)]
        for pid in with_children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def pids(self) -> list[int]:
        """Its process and all that it started, for measuring."""
        return [self.process.pid, *_children(self.process.pid)]

    def wait_until(self, answers: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Return as soon as `answers()`; raise DidNotStart if the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if answers():
                return
            time.sleep(0.03)
        raise DidNotStart(f"{self.name} did not start (exit status {self.process.poll()}):\n{self.log[-4000:]}")


def free_port() -> int:
    """A TCP port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Does somebody accept connections on this loopback port?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def need(name: str) -> Path:
    """The path of a foreign program. Raises Missing with the package to install."""
    found = programs.find(name)
    if found is None:
        raise Missing(programs.missing([name]))
    return found


@contextmanager
def child(
    name: str,
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    account: pwd.struct_passwd | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Iterator[Server]:
    """Any other program as a child: stopped at the end, output in `.log`."""
    handle, path = tempfile.mkstemp(prefix=f"kairos-{name}-", suffix=".log")
    credentials = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [account.pw_gid]} if account else {}
    with os.fdopen(handle, "wb") as output:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ) if environ is not None else None,
            cwd=cwd,
            preexec_fn=_stop_with_parent,  # noqa: PLW1509  one system call, no lock
            **credentials,
        )
    server = Server(name, process, Path(path), stop_signal=stop_signal)
    try:
        yield server
    finally:
        server.stop()
        server.log_path.unlink(missing_ok=True)


@contextmanager
def postgresql(*, durable: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A private PostgreSQL cluster with one empty database; `url` as IDP_DATABASE_URL wants it.

    `durable` keeps fsync on (for fault tests and honest benchmarks). `settings` are further `-c name=value`.
    """
    binaries = need("postgresql").resolve().parent
    account = _unprivileged_account("postgres")
    password = secrets.token_hex(16)
    with _folder("kairos-pg-", account) as folder:
        secret = folder / "password"
        secret.write_text(password)
        if account:
            os.chown(secret, account.pw_uid, account.pw_gid)
        with child(
            "initdb",
            [
                binaries / "initdb",
                "-D",
                folder / "data",
                "-U",
                "kairos",
                "--pwfile",
                secret,
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            cwd=folder,
            account=account,
        ) as initdb:
            if initdb.process.wait(60) != 0:
                raise DidNotStart(f"initdb failed:\n{initdb.log[-4000:]}")
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "max_connections": "300"}
        options |= {"shared_buffers": "128MB", "logging_collector": "off", "log_min_messages": "warning"}
        if not durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command: list[str | Path] = [binaries / "postgres", "-D", folder / "data"]
        for name, value in (options | dict(settings or {})).items():
            command += ["-c", f"{name}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients that forgot to leave.
        with child("postgresql", command, cwd=folder, account=account, stop_signal=signal.SIGINT) as server:
            server.port = port
            server.url = f"postgresql://kairos:{password}@127.0.0.1:{port}/kairos"
            server.wait_until(lambda: _database_made(server.url))
            yield server


@contextmanager
def redis() -> Iterator[Server]:
    """A private Redis without persistence; `url` has no database number."""
    binary, port, password = need("redis"), free_port(), secrets.token_hex(16)
    with _folder("kairos-redis-", None) as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        with child("redis", [binary, *options, "--requirepass", password], cwd=folder) as server:
            server.port = port
            server.url = f"redis://:{password}@127.0.0.1:{port}"
            server.wait_until(lambda: listens(port))
            yield server


def manage(environ: Mapping[str, str], *arguments: str, stdin: str = "", seconds: float = 60) -> str:
    """Run `manage.py` with these arguments; returns its standard output. A failure raises with what it printed."""
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=dict(environ),
        cwd=ROOT,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        raise DidNotStart(f"manage.py {' '.join(arguments)} failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


@contextmanager
def web(environ: Mapping[str, str], *, workers: int = 1, options: Sequence[str] = (), ready: str = "/livez") -> Iterator[Server]:
    """The provider's web server (`manage.py serve`) on a free port; the database must be migrated already.

    With an `environ` that holds PORT it listens there. `ready` is the path that must answer 200 first.
    """
    environ = dict(environ)
    port = int(environ.setdefault("PORT", str(free_port())))
    command: list[str | Path] = [sys.executable, ROOT / "manage.py", "serve", "--host", "127.0.0.1", "--workers", str(workers), *options]
    with child("web", command, environ=environ) as server:
        server.port = port
        server.url = f"http://127.0.0.1:{port}"
        server.wait_until(lambda: _answers(port, environ, ready))
        yield server


@contextmanager
def worker(environ: Mapping[str, str], *, options: Sequence[str] = ()) -> Iterator[Server]:
    """A Celery worker (`manage.py worker`)."""
    with child("worker", [sys.executable, ROOT / "manage.py", "worker", *options], environ=environ) as server:
        server.wait_until(lambda: "worker ready" in server.log)
        yield server


@contextmanager
def beat(environ: Mapping[str, str]) -> Iterator[Server]:
    """Celery's scheduler (`manage.py beat`)."""
    with child("beat", [sys.executable, ROOT / "manage.py", "beat"], environ=environ) as server:
        server.wait_until(lambda: "beat ready" in server.log)
        yield server


def child_environ(**settings: str) -> dict[str, str]:
    """The environment of the tests without its own `IDP_*` variables, with `settings` instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "DJANGO_", "COV_"))}
    return kept | {"IDP_ENV_FILE": os.devnull} | settings


def _answers(port: int, environ: Mapping[str, str], path: str) -> bool:
    host = environ.get("IDP_ISSUER", "").partition("://")[2] or f"localhost:{port}"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(5)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _database_made(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True, connect_timeout=2) as connection:
            connection.execute("CREATE DATABASE kairos")
    except psycopg.OperationalError:
        return False
    return True


def _unprivileged_account(name: str) -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it gets another account."""
    if os.geteuid() != 0:
        return None
    for candidate in (name, "nobody"):
        try:
            return pwd.getpwnam(candidate)
        except KeyError:
            continue
    raise Missing("an account that is not root (Debian: adduser --system postgres)")


@contextmanager
def _folder(prefix: str, account: pwd.struct_passwd | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=prefix))
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        direct = [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [found for one in direct for found in (one, *_children(one))]


_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def _stop_with_parent() -> None:
    # Linux: the kernel sends SIGTERM when the test process is gone. Elsewhere the call does not exist and nothing is lost.
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
