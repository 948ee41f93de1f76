"""The peers in the same run: node-oidc-provider, a plain django-oauth-toolkit and Hydra, each started here with the same load."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.bench import operations
from tests.bench.kairos import Browser
from tests.bench.operations import REDIRECT_URI, Client, Operation, Provider, SignedIn
from tests.bench.peers import hydra
from tests.support import servers

HERE = Path(__file__).parent
SCOPE = "openid profile email offline_access"


def start(stack: ExitStack, *, database: servers.Server, workers: int, threads: int) -> Iterator[Operation]:
    """Their rows of the table; a peer that this machine cannot run is skipped with a sentence."""
    try:
        yield from _node(stack, "node-oidc-provider (memory)")
        url = _database(database, "node_peer")
        yield from _node(stack, "node-oidc-provider (PostgreSQL)", url, str(threads))
    except servers.Missing as missing:
        print(f"SKIPPED node-oidc-provider: {missing}")
    yield from _django_oauth_toolkit(stack, database=database, workers=workers, threads=threads)
    try:
        yield from hydra.start(stack, database=_database(database, "hydra_peer"))
    except servers.Missing as missing:
        print(f"SKIPPED Hydra: {missing}")


def _database(server: servers.Server, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.url.rpartition('/')[0]}/{name}"


def _node(stack: ExitStack, name: str, *storage: str) -> Iterator[Operation]:
    """`storage`: a PostgreSQL URL and how many connections to it; none = memory."""
    node, npm = servers.need("node"), servers.need("npm")
    if not (HERE / "node_modules/pg").is_dir():
        subprocess.run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True, timeout=300)
    port, secret = servers.free_port(), secrets.token_urlsafe(32)
    command: list[str | Path] = [node, HERE / "node.mjs", str(port), secret, REDIRECT_URI, *storage]
    server = stack.enter_context(servers.child("node", command, environ=servers.child_environ(NODE_ENV="production"), cwd=HERE))
    server.wait_until(lambda: servers.listens(port))
    paths = {
        "authorize": "/auth",
        "userinfo": "/me",
        "revoke": "/token/revocation",
        "introspect": "/token/introspection",
        "token": "/token",
    }
    provider = Provider(name, port, server.pids, {"Host": f"localhost:{port}"}, paths, database=bool(storage), redirects_by=303)
    person, person_es256 = (SignedIn(provider, Client(app, secret), SCOPE) for app in ("app", "app-es256"))
    browser = Browser(provider)
    for one in (person, person_es256):
        browser.sign_in(one.authorize_path())
    provider.cookie = browser.cookie_header
    yield operations.client_credentials("client credentials, ES256 JWT", provider, Client("service", secret), "read")
    yield operations.client_credentials("client credentials, opaque", provider, Client("service-opaque", secret), "")
    yield operations.authorize(person)
    yield operations.redeem("code, opaque access + RS256 ID token", person)
    yield operations.redeem("code, opaque access + ES256 ID token", person_es256)
    yield operations.refresh("refresh with rotation, RS256 ID token", person)
    yield operations.refresh("refresh with rotation, ES256 ID token", person_es256)
    yield operations.userinfo(person)
    yield operations.introspect(person)
    yield operations.document("discovery", provider, "/.well-known/openid-configuration")
    yield operations.document("JWKS", provider, "/jwks")


def _django_oauth_toolkit(stack: ExitStack, *, database: servers.Server, workers: int, threads: int) -> Iterator[Operation]:
    from tests.bench.peers.dot import CLIENT_SECRET

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    port = servers.free_port()
    options = {"database": _database(database, "dot_peer"), "key": key.decode(), "redirect_uri": REDIRECT_URI}
    options |= {"port": port, "workers": workers, "threads": threads}  # type: ignore[dict-item]
    command = [sys.executable, "-m", "tests.bench.peers.dot"]
    environ = servers.child_environ()
    made = subprocess.run(
        [*command, json.dumps({"do": "prepare", **options})], capture_output=True, text=True, env=environ, cwd=servers.ROOT, check=False
    )
    if made.returncode:
        raise servers.DidNotStart(made.stderr[-3000:])
    server = stack.enter_context(servers.child("dot", [*command, json.dumps({"do": "serve", **options})], environ=environ))
    server.wait_until(lambda: servers.listens(port))
    paths = {"authorize": "/o/authorize/", "token": "/o/token/", "userinfo": "/o/userinfo/", "introspect": "/o/introspect/"}
    paths |= {"revoke": "/o/revoke_token/"}
    provider = Provider("django-oauth-toolkit", port, server.pids, {"Host": "localhost"}, paths)
    provider.cookie = json.loads(made.stdout)["cookie"]
    person = SignedIn(provider, Client("app", CLIENT_SECRET), SCOPE)
    yield operations.client_credentials("client credentials, opaque", provider, Client("service", CLIENT_SECRET), "read")
    yield operations.authorize(person)
    yield operations.redeem("code, opaque access + RS256 ID token", person)
    yield operations.refresh("refresh with rotation, RS256 ID token", person)
    yield operations.userinfo(person)
    yield operations.introspect(person)
    yield operations.revoke(person)
    yield operations.document("discovery", provider, "/o/.well-known/openid-configuration")
    yield operations.document("JWKS", provider, "/o/.well-known/jwks.json")
