"""Kairos ID under test: production settings, PostgreSQL, Redis where installed, the real server, everything recorded as in service.

The server stands behind nothing, but is asked as a TLS proxy on the same machine would ask it: plain http on loopback with
`X-Forwarded-Proto: https`, which `IDP_TRUSTED_PROXIES` lets it believe. Clients and the person are made by the operator's commands;
the person signs in and agrees once, over HTTP.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

from tests.support import production, servers

from . import operations
from .operations import REDIRECT_URI, Client, Operation, Provider, SignedIn

NAME = "Kairos ID"
ISSUER = "https://id.bench.example"
EMAIL, PASSWORD = "person@bench.example", "seven quiet rivers cross the plain"
PATHS = {
    "token": "/token",
    "authorize": "/authorize",
    "userinfo": "/userinfo",
    "introspect": "/introspect",
    "revoke": "/revoke",
}
CSRF = "b" * 32


def environment(data_dir: Path, *, database: str, redis: str | None, threads: int) -> dict[str, str]:
    """Production; without Redis the development settings, because there production refuses to start."""
    own = production.environment(str(data_dir)) | {"IDP_DATABASE_URL": database, "IDP_ISSUER": ISSUER}
    own |= {"IDP_TRUSTED_PROXIES": "127.0.0.1", "IDP_DATABASE_POOL_SIZE": str(threads)}
    own |= {"IDP_REDIS_URL": redis} if redis else {"IDP_ENV": "development", "IDP_REDIS_URL": "", "IDP_EMAIL_URL": "inbox:"}
    own |= {name: value for name, value in os.environ.items() if name.startswith("IDP_ARGON2_")}
    own["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"  # as deploy/Dockerfile sets it
    return servers.child_environ(**own)


@contextmanager
def running(environ: dict[str, str], *, workers: int, options: Sequence[str]) -> Iterator[Provider]:
    """Migrated, with keys, served."""
    servers.manage(environ, "migrate", seconds=180)
    servers.manage(environ, "keys", "rotate")
    if environ["IDP_ENV"] == "production":
        servers.manage(environ, "collectstatic", "--noinput", seconds=180)
    with servers.web(environ, workers=workers, options=options) as server:
        yield Provider(NAME, server.port, server.pids, headers(), PATHS)


def headers() -> dict[str, str]:
    """As the TLS proxy sends them."""
    return {"Host": urlsplit(ISSUER).netloc, "X-Forwarded-For": "192.0.2.17", "X-Forwarded-Proto": "https", "User-Agent": "bench/1"}


def client(environ: dict[str, str], name: str, *arguments: str, **metadata: str) -> Client:
    """A client as `manage.py client create` makes it."""
    answer = servers.manage(environ, "client", "create", name, "--json", "--from-json", "-", *arguments, stdin=json.dumps(metadata))
    made = json.loads(answer)
    return Client(made["client_id"], made["client_secret"])


def all_operations(environ: dict[str, str], provider: Provider) -> list[Operation]:
    """Every row of the table."""
    service = client(environ, "Service", "--type", "service", "--scope", "read write")
    opaque = client(environ, "Service with opaque tokens", "--type", "service", "--scope", "read write", access_token_format="opaque")
    app = ("--type", "web", "--redirect-uri", REDIRECT_URI)
    web = client(environ, "App", *app)
    web_es256 = client(environ, "App with ES256", *app, id_token_signed_response_alg="ES256")
    servers.manage(environ, "user", "create", "--email", EMAIL, "--verified", "--password-stdin", stdin=f"{PASSWORD}\n")
    scope = "openid profile email offline_access"
    person, person_es256 = SignedIn(provider, web, scope), SignedIn(provider, web_es256, scope)
    browser = Browser(provider)
    for one in (person, person_es256):
        browser.sign_in(one.authorize_path())
    provider.cookie = browser.cookie_header
    return [
        operations.client_credentials("client credentials, ES256 JWT", provider, service, "read"),
        operations.client_credentials("client credentials, opaque", provider, opaque, "read"),
        operations.authorize(person),
        operations.redeem("code, ES256 access + RS256 ID token", person),
        operations.redeem("code, ES256 access + ES256 ID token", person_es256),
        operations.refresh("refresh with rotation, RS256 ID token", person),
        operations.refresh("refresh with rotation, ES256 ID token", person_es256),
        operations.userinfo(person),
        operations.introspect(person),
        operations.revoke(person),
        operations.document("discovery", provider, "/.well-known/openid-configuration"),
        operations.document("JWKS", provider, "/jwks"),
        sign_in_operation("password sign-in", provider, known=browser.cookies[KNOWN]),
        sign_in_operation("password sign-in, new browser (a mail is written)", provider),
    ]


KNOWN = "__Host-kairos_known"


def sign_in_operation(name: str, provider: Provider, *, known: str = "") -> Operation:
    """POST /login: hash, session, event. `known` is the cookie of a browser in which the person has signed in before."""
    cookie = f"__Host-kairos_csrf={CSRF}" + (f"; {KNOWN}={known}" if known else "")
    form = {"csrfmiddlewaretoken": CSRF, "login": EMAIL, "password": PASSWORD}
    request = provider.request("POST", "/login", headers={"Cookie": cookie, "Origin": ISSUER}, form=form)
    return Operation(name, provider, operations.constant(request), 302, connections=2)


class Browser:
    """As much of a browser as a sign-in needs: cookies, forms, redirects."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.cookies: dict[str, str] = {}

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Follow local redirects; returns the last address (local path, or the app's) and page."""
        for _ in range(12):
            headers = {"Cookie": self.cookie_header, "Origin": ISSUER}
            status, head, body = self.provider.ask(
                self.provider.request("POST" if form is not None else "GET", path, headers=headers, form=form)
            )
            for name, value in re.findall(r"(?mi)^set-cookie: ([^=;\r]+)=([^;\r]*)", head.decode("latin-1")):
                self.cookies[name.strip()] = value
            if status not in (302, 303):
                if status != 200:
                    text = re.sub(r"(<[^>]+>|\s)+", " ", body.decode())
                    raise RuntimeError(f"{path}: {status}: {text[:600]}")
                return path, body.decode()
            found = re.search(r"(?mi)^location: ([^\r]+)", head.decode("latin-1"))
            assert found is not None
            path, form = found[1].removeprefix(f"http://{self.provider.headers['Host']}"), None
            if path.startswith("https://"):
                return path, ""
        raise RuntimeError("redirects never end")

    def sign_in(self, path: str) -> None:
        """From the app's request to its answer: password where asked, consent where asked."""
        where, page = self.open(path)
        for _ in range(4):
            if where.startswith(REDIRECT_URI):
                return
            form = {name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)}
            target = where.partition("?")[0]
            form |= {"login": EMAIL, "password": PASSWORD} if target == "/login" else {"decision": "allow"}
            where, page = self.open(target, form)
        raise RuntimeError(f"sign-in ended at {where}")
