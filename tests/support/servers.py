"""Real servers for tests, each as a child process on a free loopback port: PostgreSQL, Redis, web, worker, beat, nginx.

Every function here is a context manager: it starts the server, waits until that answers, hands out a small value with its
address, and stops it at the end. Children also stop when the test process is killed. What they printed is in `.log`.

    with postgresql() as database, redis() as broker, web(child_environ(IDP_DATABASE_URL=database.url, …)) as provider:
        httpx.get(f"{provider.url}/livez")

    with deployment() as site:      # everything of docker-compose.yml as processes, over HTTPS on loopback
        httpx.get(f"{site.url}/readyz", verify=site.tls)

A program that this machine lacks raises `Missing`, with the package to install.
"""

from __future__ import annotations

import atexit
import base64
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import empty, production, programs
from tests.support.stem import Branch, Stem

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 90  # a machine that runs many suites at once is slow
STOP_SECONDS = 30


class Missing(Exception):
    """A program is not installed here; the text names the package."""


class DidNotStart(Exception):
    """A server ended or stayed silent; the text holds the end of what it printed."""


@dataclass
class Server:
    """A running child process. `url` is where it answers; `port` the same as a number."""

    name: str
    process: subprocess.Popen[bytes] | Branch
    log_path: Path
    port: int = 0
    url: str = ""
    stop_signal: int = signal.SIGTERM
    extra: dict[str, str] = field(default_factory=dict)
    answers: Callable[[], bool] = field(default=lambda: True)
    asked_to_stop: bool = False

    @property
    def log(self) -> str:
        """Everything that it printed so far."""
        return self.log_path.read_text(errors="replace")

    def begin_stop(self) -> None:
        """Ask it to stop and do not wait, so that several servers stop at the same time."""
        if self.process.poll() is None and not self.asked_to_stop:  # Celery takes a second signal for impatience
            self.asked_to_stop = True
            self.process.send_signal(self.stop_signal)

    def stop(self, *, seconds: float = STOP_SECONDS) -> int:
        """Ask it to stop, wait, kill after `seconds`; returns the exit status (negative = signal)."""
        self.begin_stop()
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

    def wait(self) -> None:
        """Return as soon as it is ready for work. Raises DidNotStart."""
        self.wait_until(self.answers)

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
            preexec_fn=stop_with_parent,  # noqa: PLW1509  one system call, no lock
            **credentials,
        )
    server = Server(name, process, Path(path), stop_signal=stop_signal)
    try:
        yield server
    finally:
        server.stop()
        server.log_path.unlink(missing_ok=True)


@contextmanager
def branch(grown: Stem, *arguments: str, environ: Mapping[str, str]) -> Iterator[Server]:
    """`manage.py` with these arguments, branched off a process that has loaded the provider with `environ`; listens on its PORT, if at all."""
    handle, path = tempfile.mkstemp(prefix=f"kairos-{arguments[0]}-", suffix=".log")
    os.close(handle)
    port = int(environ.get("PORT", 0))
    server = Server(arguments[0], grown.branch(*arguments, log=Path(path)), Path(path), port, environ.get("IDP_ISSUER", ""))
    server.answers = lambda: _answers(port, environ, "/livez")
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
                "md5",
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
def web(
    environ: Mapping[str, str], *, workers: int = 1, options: Sequence[str] = (), ready: str = "/livez", wait: bool = True
) -> Iterator[Server]:
    """The provider's web server (`manage.py serve`) on a free port; the database must be prepared already (`manage.py prepare`).

    With an `environ` that holds PORT it listens there. `ready` is the path that must answer 200 first. With `wait=False`, here and
    below, the caller calls `.wait()`.
    """
    environ = dict(environ)
    port = int(environ.setdefault("PORT", str(free_port())))
    command: list[str | Path] = [sys.executable, ROOT / "manage.py", "serve", "--host", "127.0.0.1", "--workers", str(workers), *options]
    with child("web", command, environ=environ) as server:
        server.port = port
        server.url = f"http://127.0.0.1:{port}"
        server.answers = lambda: _answers(port, environ, ready)
        if wait:
            server.wait()
        yield server


@contextmanager
def development_site(*, options: Sequence[str] = (), **settings: str) -> Iterator[tuple[Server, dict[str, str]]]:
    """One process with SQLite in a folder of its own, as `make run` starts it, set up with keys and demo data; and its environment."""
    command: list[str | Path] = [sys.executable, ROOT / "manage.py", "run_development", *options]
    with development_environ(**settings) as environ, child("development", command, environ=environ) as server:
        server.port = int(environ["PORT"])
        server.url = environ["IDP_ISSUER"]
        server.wait_until(lambda: _answers(server.port, environ, "/livez"))
        yield server, environ


@contextmanager
def development_environ(**settings: str) -> Iterator[dict[str, str]]:
    """What `make run` has for its environment: SQLite in a folder of its own, tables and nothing else in it, a free port."""
    port = free_port()
    with _folder("kairos-dev-", None) as folder:
        empty.lay(folder)
        yield child_environ(
            IDP_ENV="development",
            IDP_DATA_DIR=str(folder),
            IDP_ISSUER=f"http://localhost:{port}",
            PORT=str(port),
            IDP_ARGON2_MEMORY_KIB="7168",
            IDP_ARGON2_ITERATIONS="1",
            **settings,
        )


@contextmanager
def worker(environ: Mapping[str, str], *, options: Sequence[str] = (), wait: bool = True) -> Iterator[Server]:
    """A Celery worker (`manage.py worker`)."""
    with child("worker", [sys.executable, ROOT / "manage.py", "worker", *options], environ=environ) as server:
        server.answers = lambda: "worker ready" in server.log
        if wait:
            server.wait()
        yield server


@contextmanager
def beat(environ: Mapping[str, str], *, wait: bool = True) -> Iterator[Server]:
    """Celery's scheduler (`manage.py beat`)."""
    with child("beat", [sys.executable, ROOT / "manage.py", "beat"], environ=environ) as server:
        server.answers = lambda: "beat ready" in server.log
        if wait:
            server.wait()
        yield server


@dataclass(frozen=True)
class Certificate:
    """A throw-away authority and a certificate of it for localhost; PEM files."""

    authority: Path
    chain: Path
    key: Path


@contextmanager
def nginx(*, upstream: int, port: int, certificate: Certificate) -> Iterator[Server]:
    """The nginx configuration that is shipped (deploy/nginx), TLS on `port`, in front of the web server on port `upstream`."""
    binary, plain = need("nginx"), free_port()
    values = {
        "KAIROS_LISTEN_HTTP": f"127.0.0.1:{plain}",
        "KAIROS_LISTEN": f"127.0.0.1:{port}",
        "KAIROS_SERVER_NAME": "localhost",
        "KAIROS_AUTHORITY": f"localhost:{port}",
        "KAIROS_UPSTREAM": f"127.0.0.1:{upstream}",
        "KAIROS_CERTIFICATE": str(certificate.chain),
        "KAIROS_CERTIFICATE_KEY": str(certificate.key),
    }
    with _folder("kairos-nginx-", None) as folder:
        shipped = (ROOT / "deploy/nginx/kairos.conf.template").read_text()
        for name, value in values.items():
            shipped = shipped.replace(f"${{{name}}}", value)
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "kairos.conf").write_text(shipped)
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; worker_processes 1; {'user root;' if os.geteuid() == 0 else ''}\n"
            f"events {{ worker_connections 1024; }}\nhttp {{ {temporary} include {folder}/kairos.conf; }}\n"
        )
        with child(
            "nginx", [binary, "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"], cwd=folder, stop_signal=signal.SIGQUIT
        ) as server:
            server.port = port
            server.url = f"https://localhost:{port}"
            server.extra["http"] = f"http://127.0.0.1:{plain}"
            server.wait_until(lambda: listens(port))
            yield server


@dataclass
class Deployment:
    """A whole production site. `tls` goes to httpx as `verify`; `mails` holds what was sent, oldest first."""

    url: str
    tls: ssl.SSLContext
    authority: Path
    environ: dict[str, str]
    database: Server
    redis: Server
    web: Server
    worker: Server
    beat: Server
    nginx: Server
    mails: list[EmailMessage]

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run a command of the operator in this site; returns its standard output."""
        return manage(self.environ, *arguments, stdin=stdin)


@contextmanager
def deployment(*, workers: int = 1, durable: bool = False, **settings: str) -> Iterator[Deployment]:
    """PostgreSQL, Redis, web, worker, beat, nginx and a mail server, started as docker-compose.yml starts them. About five seconds.

    `settings` are further `IDP_*` variables.
    """
    port = free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(_folder("kairos-site-", None))
        certificate = make_certificate(folder)
        database = stack.enter_context(postgresql(durable=durable))
        broker = stack.enter_context(redis())
        mail_port, mails = stack.enter_context(mail_server())
        environ = child_environ(
            IDP_ENV="production",
            IDP_ISSUER=f"https://localhost:{port}",
            IDP_SECRET_KEY=secrets.token_urlsafe(60),
            IDP_SEALING_KEYS="k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            IDP_DATABASE_URL=database.url,
            IDP_REDIS_URL=f"{broker.url}/0",
            IDP_EMAIL_URL=f"smtp://127.0.0.1:{mail_port}",
            IDP_EMAIL_FROM="Kairos ID <no-reply@example.org>",
            IDP_DATA_DIR=str(folder / "data"),
            IDP_STATIC_DIR=str(collected_static_files()),
            IDP_TRUSTED_PROXIES="127.0.0.1",
            **settings,
        )
        manage(environ, "prepare")
        served = stack.enter_context(web(environ, workers=workers, wait=False))
        at_work = stack.enter_context(worker(environ, wait=False))
        ticking = stack.enter_context(beat(environ, wait=False))
        in_front = stack.enter_context(nginx(upstream=served.port, port=port, certificate=certificate))
        for server in (served, at_work, ticking):
            server.wait()
        tls = ssl.create_default_context(cafile=str(certificate.authority))
        for server in (in_front, served, at_work, ticking):
            stack.callback(server.begin_stop)
        yield Deployment(
            environ["IDP_ISSUER"], tls, certificate.authority, environ, database, broker, served, at_work, ticking, in_front, mails
        )


@contextmanager
def mail_server() -> Iterator[tuple[int, list[EmailMessage]]]:
    """An SMTP server in a thread; yields its port and the list that mails are added to."""
    from aiosmtpd.controller import Controller

    mails: list[EmailMessage] = []

    class Keep:
        async def handle_DATA(  # noqa: N802  aiosmtpd's name
            self,
            _server: object,
            _session: object,
            envelope: Any,
        ) -> str:
            mails.append(message_from_bytes(envelope.content, policy=default_policy))
            return "250 kept"

    port = free_port()
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, mails
    finally:
        controller.stop()


def make_certificate(folder: Path) -> Certificate:
    """Write an authority, and a certificate of it for localhost and 127.0.0.1, valid for two days, into `folder`."""
    today = datetime.now(UTC)

    def build(name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kairos test authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=1))
            .not_valid_after(today + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    authority = build("Kairos test authority", ca_key, ca=True).sign(ca_key, hashes.SHA256())
    leaf = build("localhost", key, ca=False).add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
    made = Certificate(folder / "authority.pem", folder / "chain.pem", folder / "key.pem")
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.chain.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return made


@cache
def collected_static_files() -> Path:
    """`manage.py collectstatic` into a folder of this test process, once."""
    folder = Path(tempfile.mkdtemp(prefix="kairos-static-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environ = production.environment(str(folder / "data")) | {"IDP_STATIC_DIR": str(folder)}
    manage(child_environ(**environ), "collectstatic", "--no-input", "--verbosity", "0")
    return folder


def child_environ(**settings: str) -> dict[str, str]:
    """The environment of the tests without its own `IDP_*` variables, with `settings` instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "DJANGO_", "COV_"))}
    return {**kept, "IDP_ENV_FILE": os.devnull, **settings}


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


def stop_with_parent() -> None:
    """Called in a child: it ends when the one that started it does."""
    # Linux: the kernel sends SIGTERM when the test process is gone. Elsewhere the call does not exist and nothing is lost.
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
