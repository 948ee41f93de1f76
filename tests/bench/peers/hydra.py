"""Ory Hydra, where the program `hydra` is installed: on the same PostgreSQL, signing by ES256, its hash of client secrets at its cheapest.

It has no pages and no people. Who signs in and what they agree to is said to its administrative port, as an application for that would.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.bench import operations
from tests.bench.operations import REDIRECT_URI, Client, Operation, Provider, SignedIn
from tests.support import servers

SCOPE = "openid offline_access"
MOST_CODES = 600  # seven requests each, whose making is not counted


def start(stack: ExitStack, *, database: str) -> Iterator[Operation]:
    """Its rows of the table. Raises Missing where the program is not installed."""
    program = servers.need("hydra")
    public, administrative = servers.free_port(), servers.free_port()
    issuer, admin = f"http://127.0.0.1:{public}", f"http://127.0.0.1:{administrative}/admin"
    environ = servers.child_environ(
        DSN=f"{database}?sslmode=disable&max_conns=8&max_idle_conns=8",
        SECRETS_SYSTEM=secrets.token_urlsafe(32),
        URLS_SELF_ISSUER=issuer,
        URLS_LOGIN="http://127.0.0.1:1/login",
        URLS_CONSENT="http://127.0.0.1:1/consent",
        SERVE_PUBLIC_PORT=str(public),
        SERVE_ADMIN_PORT=str(administrative),
        STRATEGIES_ACCESS_TOKEN="jwt",
        OAUTH2_HASHERS_ALGORITHM="pbkdf2",
        OAUTH2_HASHERS_PBKDF2_ITERATIONS="1",
        LOG_LEVEL="error",
        SQA_OPT_OUT="true",
    )
    subprocess.run([program, "migrate", "sql", "up", "--read-from-env", "--yes"], env=environ, check=True, capture_output=True, timeout=300)
    server = stack.enter_context(servers.child("hydra", [program, "serve", "all", "--dev"], environ=environ))
    server.wait_until(lambda: servers.listens(public) and servers.listens(administrative))
    paths = {"authorize": "/oauth2/auth", "token": "/oauth2/token", "userinfo": "/userinfo"}
    provider = Provider("Hydra", public, server.pids, {"Host": f"127.0.0.1:{public}"}, paths)
    with httpx.Client(trust_env=False, timeout=60) as web:
        for keys in ("hydra.openid.id-token", "hydra.jwt.access-token"):
            web.post(f"{admin}/keys/{keys}", json={"alg": "ES256", "use": "sig", "kid": secrets.token_hex(8)}).raise_for_status()
        service = _client(web, admin, grant_types=["client_credentials"], scope="read")
        app = _client(
            web,
            admin,
            grant_types=["authorization_code", "refresh_token"],
            redirect_uris=[REDIRECT_URI],
            scope=SCOPE,
            skip_consent=True,
        )
    person = Person(provider, app, SCOPE, admin=admin)
    yield operations.client_credentials("client credentials, ES256 JWT", provider, service, "read")
    yield operations.redeem("code, ES256 access + ES256 ID token", person)
    yield operations.refresh("refresh with rotation, ES256 ID token", person)
    yield operations.userinfo(person)
    yield _introspect(person, administrative)
    yield operations.document("discovery", provider, "/.well-known/openid-configuration")
    yield operations.document("JWKS", provider, "/.well-known/jwks.json")


def _client(web: httpx.Client, admin: str, **metadata: Any) -> Client:
    secret = secrets.token_urlsafe(32)
    made = web.post(f"{admin}/clients", json={"client_secret": secret, "token_endpoint_auth_method": "client_secret_basic", **metadata})
    made.raise_for_status()
    return Client(made.json()["client_id"], secret)


@dataclass
class Person(SignedIn):
    """Codes by the whole way through login and consent; nothing of it is measured."""

    admin: str = ""

    def make_codes(self, count: int) -> None:
        self.codes.clear()
        with ThreadPoolExecutor(8) as pool:
            self.codes.extend(pool.map(lambda _: self._code(), range(min(count, MOST_CODES))))

    def _code(self) -> str:
        base = f"http://127.0.0.1:{self.provider.port}"
        with httpx.Client(trust_env=False, timeout=60) as web:
            answer = web.get(base + self.authorize_path())
            for step, said in (("login", {"subject": "ada"}), ("consent", {"grant_scope": self.scope.split()})):
                [challenge] = parse_qs(urlsplit(answer.headers["location"]).query)[f"{step}_challenge"]
                accepted = web.put(f"{self.admin}/oauth2/auth/requests/{step}/accept", params={f"{step}_challenge": challenge}, json=said)
                answer = web.get(accepted.json()["redirect_to"])
            [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
            return code


def _introspect(person: Person, port: int) -> Operation:
    """At the administrative port, which asks nobody who they are."""
    public = person.provider
    provider = Provider(public.name, port, public.pids, {"Host": f"127.0.0.1:{port}"}, {"introspect": "/admin/oauth2/introspect"})
    held: list[bytes] = []

    def prepare(_count: int) -> None:
        person.make_tokens(1)
        held[:] = [provider.request("POST", provider.paths["introspect"], form={"token": person.tokens[0]["access_token"]})]
        _, _, body = provider.ask(held[0])
        if b'"active":true' not in body:
            raise RuntimeError(f"Hydra: the token is not active: {body[:300]!r}")

    return Operation("introspection", provider, lambda _n, _h, _b: held[0], prepare=prepare)
