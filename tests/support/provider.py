"""The embedded default (one process, SQLite) in a process of its own, as `make run` starts it, with data of its own."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from . import empty
from .commands import Commands
from .servers import ROOT, Server, child, child_environ, free_port

# httpx.get() would read the certificates of the whole world first, forty milliseconds of a core, at every question.
WEB = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Provider:
    """A running provider. `root` is the checkout that it runs in, `python` the interpreter of its `manage.py`."""

    issuer: str
    environment: dict[str, str]
    data_dir: Path
    root: Path
    python: str
    server: Server
    commands: Commands

    def manage(self, *arguments: str, given: str = "") -> Any:
        """Run `manage.py … --json` with `given` on standard input; returns what it answered. Raises with its message when it fails."""
        done = self.commands.run([*arguments, "--json"], given)
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)

    def add_person(self, *, email: str | None = None, password: str = PASSWORD, claims: dict[str, Any] | None = None) -> dict[str, Any]:
        """A verified person, as `manage.py user create` makes one; the answer has `sub` and `email`."""
        email = email or f"person-{secrets.token_hex(4)}@example.org"
        extra: tuple[str, ...] = ()
        if claims:
            path = self.data_dir / f"claims-{secrets.token_hex(4)}.json"
            path.write_text(json.dumps(claims))
            extra = ("--claims", str(path))
        answer = self.manage("user", "create", "--email", email, "--verified", "--password-stdin", *extra, given=password + "\n")
        return {"email": email, **answer}

    def add_client(self, name: str, *, type: str, **options: str | list[str] | bool) -> dict[str, Any]:
        """A client, as `manage.py client create` makes one: `add_client("Shop", type="web", redirect_uri="http://…")`."""
        arguments = ["client", "create", name, "--type", type]
        for option, value in options.items():
            flag = "--" + option.replace("_", "-")
            if isinstance(value, bool):
                arguments += [flag] if value else []
            else:
                for one in value if isinstance(value, list) else [value]:
                    arguments += [flag, one]
        answer: dict[str, Any] = self.manage(*arguments)
        return answer


@contextmanager
def embedded(
    data_dir: Path,
    *,
    root: Path = ROOT,
    command: Sequence[str] | None = None,
    python: str = sys.executable,
    seconds: float = 180,
    settings: Mapping[str, str] | None = None,
    host: str = "localhost",
) -> Iterator[Provider]:
    """Serve on a free port until the block ends, with nothing of the tests' own settings and nothing of the developer's.

    Without a `command` of its own it starts on an empty database where the fixture `django_db_setup` has made one.
    `settings` are further environment variables, `host` is the name under which it is known. Raises `DidNotStart` when it does not answer within `seconds`.
    """
    port = free_port()
    issuer = f"http://{host}:{port}"
    environment = child_environ(IDP_ENV="development", IDP_DATA_DIR=str(data_dir), PORT=str(port), **(settings or {}))
    if host != "localhost":
        environment["IDP_ISSUER"] = issuer
    if command is None:
        empty.lay(data_dir)
        command = (sys.executable, "manage.py", "run_development")
    with child("provider", command, environ=environment, cwd=root) as server:
        server.port, server.url = port, issuer
        server.wait_until(lambda: _answers(issuer), seconds=seconds)
        commands = Commands(environment, root=root, python=python)
        try:
            yield Provider(issuer, environment, data_dir, root, python, server, commands)
        finally:
            commands.close()


def _answers(issuer: str) -> bool:
    try:
        return WEB.get(f"{issuer}/livez", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
