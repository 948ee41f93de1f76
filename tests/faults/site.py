"""A whole site as child processes that can be killed and come back: PostgreSQL that writes through, Redis, web masters, Celery
workers, beat, the Agent behind a proxy, an SMTP sink behind a proxy.
"""

from __future__ import annotations

import asyncio
import base64
import email
import http.client
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

from tests.support import servers
from tests.support.browser import Browser, Sent
from tests.support.stem import Branch, Stem, stem

from .proxy import Proxy

CANARY = "kanarie-27182818"  # in every secret that the harness chooses
AGENT_SECRET = "whsec_" + base64.b64encode(f"{CANARY}-agent-secret-of-the-site".encode()).decode()


class Part:
    """One process that is started again with the same arguments after it was killed."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environ: Mapping[str, str],
        *,
        ready: Callable[[], bool],
        account: Any = None,
        stem: Stem | None = None,
    ) -> None:
        self.name, self.command, self.environ, self.ready, self.account, self.stem = name, command, dict(environ), ready, account, stem
        self.log_path = Path(tempfile.mkstemp(prefix=f"kairos-{name}-", suffix=".log")[1])
        self.process: subprocess.Popen[bytes] | Branch | None = None

    def start(self) -> None:
        if self.stem:
            self.process = self.stem.branch(*self.command, log=self.log_path)
            return
        identity = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []} if self.account else {}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environ,
                cwd=servers.ROOT if not self.account else "/tmp",
                preexec_fn=servers.stop_with_parent,  # noqa: PLW1509
                **identity,
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def children(self) -> list[int]:
        return servers._children(self.process.pid) if self.process else []

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        if self.process is None:
            return
        for pid in [self.process.pid, *self.children()]:
            _signal(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40) -> None:
        if self.process is None:
            return
        _signal(self.process.pid, number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def ensure(self, *, seconds: float = 60) -> None:
        """Running and ready; started again as often as it needs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.alive():
                self.start()
            if self.ready():
                return
            time.sleep(0.1)
        raise servers.DidNotStart(f"{self.name}:\n{self.log_path.read_text(errors='replace')[-3000:]}")


def _command(server: servers.Server) -> list[str]:
    arguments: Any = server.process.args
    return [str(word) for word in arguments]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


@dataclass
class Mailbox:
    """What the SMTP sink took: Message-ID and recipient, and when."""

    took: list[tuple[str, str, float]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    answer: str = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(0)
        if self.answer:
            return self.answer
        message = email.message_from_bytes(envelope.content)
        self.took.append((str(message["Message-ID"]), str(message["To"]), time.time()))
        parts: list[Any] = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
        self.bodies.append(b"".join(parts).decode())
        return "250 OK"


class Site:
    """The parts by name, and their addresses."""

    def __init__(
        self, stack: ExitStack, *, masters: int = 2, workers: int = 2, failpoints: str = "", level: str = "WARNING", **environ: str
    ) -> None:
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.postgresql(durable=True))
        self.database_url = database.url
        broker = stack.enter_context(servers.redis())
        self.redis_url = broker.url
        self.mailbox = Mailbox()
        sink = Controller(self.mailbox, hostname="127.0.0.1", port=servers.free_port())
        sink.start()
        stack.callback(sink.stop)
        self.agent_port = servers.free_port()
        self.agent_proxy, self.mail_proxy = Proxy(self.agent_port), Proxy(sink.port)
        stack.callback(self.agent_proxy.close)
        stack.callback(self.mail_proxy.close)
        ports = [servers.free_port() for _ in range(masters)]
        self.web_ports = ports
        self.issuer = f"http://localhost:{ports[0]}"
        self.environ = servers.child_environ(
            DJANGO_SETTINGS_MODULE="tests.faults.site_settings",
            IDP_ENV="development",
            IDP_DATA_DIR=str(self.folder),
            IDP_ISSUER=self.issuer,
            IDP_SECRET_KEY=f"{CANARY}-" + secrets.token_hex(40),
            IDP_SEALING_KEYS="k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            IDP_DATABASE_URL=database.url,
            IDP_REDIS_URL=f"{broker.url}/0",
            IDP_EMAIL_URL=f"smtp://127.0.0.1:{self.mail_proxy.port}",
            IDP_AGENT_URL=f"http://127.0.0.1:{self.agent_proxy.port}",
            IDP_AGENT_SECRET=AGENT_SECRET,
            IDP_OUTBOUND_ALLOW="127.0.0.1/32",
            IDP_ARGON2_MEMORY_KIB="7168",
            IDP_ARGON2_ITERATIONS="1",
            IDP_LOG_LEVEL=level,
            IDP_TRUSTED_PROXIES="127.0.0.1",
            FAILPOINTS=failpoints,
            **environ,
        )
        # Worker and beat say that they are ready at level INFO.
        self.background = {**self.environ, "IDP_LOG_LEVEL": "INFO" if level != "DEBUG" else "DEBUG"}
        self.stem = stack.enter_context(stem(self.background))
        if self.stem.branch("prepare", "--verbosity=0", log=self.folder / "prepare.log").wait(240) != 0:
            raise servers.DidNotStart((self.folder / "prepare.log").read_text())
        python, manage = sys.executable, str(servers.ROOT / "manage.py")
        account = servers._unprivileged_account("postgres")
        self.parts: dict[str, Part] = {}
        postgres = Part("postgresql", _command(database), os.environ, ready=self._database_ready, account=account)
        postgres.process = database.process
        redis = Part("redis", _command(broker), os.environ, ready=lambda: servers.listens(broker.port))
        redis.process = broker.process
        self.parts |= {"postgresql": postgres, "redis": redis}
        self.parts["agent"] = Part(
            "agent",
            [python, "-m", "tests.support.agent", "--port", str(self.agent_port), "--secret", AGENT_SECRET, *self._kept()],
            self.environ,
            ready=lambda: servers.listens(self.agent_port),
        )
        for number, port in enumerate(ports):
            self.parts[f"web{number}"] = Part(
                f"web{number}",
                [python, manage, "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--threads", "6"],
                self.environ,
                ready=partial(self._answers, port),
            )
        for number in range(workers):
            self.parts[f"worker{number}"] = self._background(f"worker{number}", "worker")
        self.parts["beat"] = self._background("beat", "beat")
        stack.callback(self.stop)
        for part in self.parts.values():
            if not part.alive():
                part.start()
        self.ensure()

    def _kept(self) -> list[str]:
        return ["--database", str(self.folder / "agent.sqlite3")]

    def _background(self, name: str, command: str) -> Part:
        part = Part(name, [command], self.background, ready=bool, stem=self.stem)
        part.ready = lambda: f"{command} ready" in part.log_path.read_text(errors="replace")
        return part

    def _database_ready(self) -> bool:
        try:
            self.sql("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _answers(self, port: int) -> bool:
        return servers._answers(port, self.environ, "/livez")

    def ensure(self) -> None:
        """Everything runs and answers."""
        for part in self.parts.values():
            part.ensure()

    def stop(self) -> None:
        for name in reversed(self.parts):
            if name not in ("postgresql", "redis"):
                self.parts[name].kill()
        for name in ("postgresql", "redis"):
            self.parts[name].stop(signal.SIGINT)
        for part in self.parts.values():
            part.log_path.unlink(missing_ok=True)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, connect_timeout=3, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def change(self, port: int, **wanted: Any) -> dict[str, Any] | None:
        """One change by HTTP; None = not acknowledged."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            connection.request("POST", "/ledger/change", json.dumps(wanted), {"Host": self.issuer.partition("://")[2]})
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def browser(self, port: int | None = None) -> Browser:
        """A fresh browser at one of the web masters, at an address of its own."""
        address = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        chosen = port or random.choice(self.web_ports)
        host = self.issuer.partition("://")[2]

        def send(request: Sent) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", chosen, timeout=15)
            try:
                connection.request(
                    request.method, request.target, request.body or None, {"Host": host, "X-Forwarded-For": address, **request.headers}
                )
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()

        return Browser(send, origin=self.issuer)

    def agent(self, method: str = "GET", path: str = "/state", **body: Any) -> Any:
        """The Agent's state, or a switch of it; past the proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.agent_port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            text = connection.getresponse().read()
            return json.loads(text) if text else None
        finally:
            connection.close()

    def failpoints(self, *, on: bool) -> None:
        """Switch all of them off or on."""
        mark = self.folder / "failpoints-off"
        mark.unlink(missing_ok=True) if on else mark.touch()

    def left(self) -> int:
        """Deliveries of events that wait."""
        return int(self.sql("SELECT count(*) FROM events_delivery WHERE state = 'waiting' AND receiver = 'agent'")[0][0])

    def drained(self, *, seconds: float, hurry: bool = False) -> float:
        """Wait until no event waits; returns how long it took. With `hurry` the pauses before further attempts are cut short."""
        began = time.monotonic()
        while self.left():
            if hurry:
                self.sql("UPDATE events_outage SET until = now()")
                self.sql("UPDATE events_lane SET due_at = now() WHERE owner = '' AND due_at > now()")
            assert time.monotonic() - began < seconds, f"{self.left()} deliveries still wait after {seconds} s"
            time.sleep(0.2)
        return time.monotonic() - began

    def logs(self) -> str:
        return "".join(part.log_path.read_text(errors="replace") for part in self.parts.values())


@contextmanager
def site(**options: Any) -> Iterator[Site]:
    """A running site; about ten seconds."""
    with ExitStack() as stack:
        yield Site(stack, **options)


class Killer(threading.Thread):
    """Kills something at random moments, by a seed, and starts it again; counts what it killed."""

    def __init__(self, target: Site, seed: int, *, kills: int, pause: tuple[float, float] = (0.5, 2.0)) -> None:
        super().__init__(daemon=True)
        self.target, self.dice, self.kills, self.pause = target, random.Random(seed), kills, pause
        self.counts: dict[str, int] = {}
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for _ in range(self.kills):
                time.sleep(self.dice.uniform(*self.pause))
                self.strike()
        except Exception as error:  # noqa: BLE001
            self.error = error

    def strike(self) -> None:
        """One SIGKILL: a process of the web, a worker with its children or one child, beat, Redis, one back-end or the whole PostgreSQL."""
        webs = [name for name in self.target.parts if name.startswith("web")]
        workers = [name for name in self.target.parts if name.startswith("worker")]
        kind = self.dice.choices(
            ["web process", "web master", "worker child", "worker", "beat", "redis", "postgresql backend", "postgresql"],
            [30, 5, 30, 10, 4, 8, 6, 7],
        )[0]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind in ("web process", "worker child"):
            part = self.target.parts[self.dice.choice(webs if kind == "web process" else workers)]
            if children := part.children():
                _signal(self.dice.choice(children), signal.SIGKILL)
        elif kind == "postgresql backend":
            if children := self.target.parts["postgresql"].children():
                _signal(self.dice.choice(children), signal.SIGKILL)
        else:
            name = {"web master": self.dice.choice(webs), "worker": self.dice.choice(workers)}.get(kind, kind)
            part = self.target.parts[name]
            part.kill()
            part.start()
        for part in self.target.parts.values():  # PostgreSQL may refuse to start while its old children leave
            if not part.alive():
                part.start()
