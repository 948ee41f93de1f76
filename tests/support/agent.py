"""A stand-in for the Agent: a real HTTP server with the contract of docs/deliveries.md, a page with its state, and failures on demand.

    python -m tests.support.agent --port 9000 --secret whsec_… [--issuer https://id.example] [--database agent.sqlite3]

GET / shows people, calls and switches; GET /state is the same as JSON. PUT /switches takes {"fail": 0.05, "slow": 0.05, "reset": 0.01,
"delay": 0, "down": false, "stall": false, "seed": 1}: the share of calls that get 500, that are processed and then never answered, whose
connection is reset, seconds before each answer, whether every call gets 503, and whether no call is ever answered. PUT /block takes
{"sub": …, "status": 500}: what every call about one person gets.

Everything is checked as a real Agent would: the signature and its age, the bearer token (with --issuer: signature, audience, time), the
idempotency key. With --database nothing is forgotten when the process is killed: a call is committed before it is answered.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import random
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

OLDEST_SECONDS = 300
TABLES = """
CREATE TABLE IF NOT EXISTS person (sub TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS call (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, key TEXT, sub TEXT, method TEXT, path TEXT, digest TEXT, first INTEGER, status INTEGER);
CREATE INDEX IF NOT EXISTS call_key ON call (key);
"""


class Agent:
    """What the Agent knows. Every call is one transaction: its effect, and its key."""

    def __init__(self, *, secret: str, issuer: str = "", audience: str = "", database: str = ":memory:") -> None:
        self.keys = [base64.b64decode(key.strip().removeprefix("whsec_")) for key in secret.split(",") if key.strip()]
        self.issuer, self.audience = issuer, audience
        self.lock = threading.Lock()
        self.store = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self.store.execute("PRAGMA journal_mode=WAL")
        self.store.executescript(TABLES)
        self.switches: dict[str, Any] = {"fail": 0.0, "slow": 0.0, "reset": 0.0, "delay": 0.0, "down": False, "stall": False, "seed": 0}
        self.blocked: dict[str, int] = {}
        self.dice = random.Random(0)
        self.jwks: list[dict[str, Any]] | None = None

    def signed(self, headers: Any, body: bytes) -> bool:
        """Standard Webhooks: one of the signatures fits one of the keys, and it is no older than five minutes."""
        try:
            age = abs(time.time() - int(headers["webhook-timestamp"]))
        except (TypeError, ValueError):
            return False
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = {"v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in self.keys}
        return age <= OLDEST_SECONDS and not wanted.isdisjoint((headers["webhook-signature"] or "").split())

    def authorized(self, headers: Any) -> bool:
        """A bearer token for us; with an issuer its signature and claims are verified."""
        scheme, _, token = (headers["authorization"] or "").partition(" ")
        if scheme != "Bearer" or token.count(".") != 2:
            return False
        if not self.issuer:
            return True
        from jwcrypto import jwk, jwt

        try:
            if self.jwks is None:
                with urlopen(f"{self.issuer}/jwks", timeout=5) as answer:
                    self.jwks = json.load(answer)["keys"]
            keys = jwk.JWKSet()
            for key in self.jwks:
                keys.add(jwk.JWK(**key))
            found = jwt.JWT(jwt=token, key=keys, algs=["ES256", "RS256"], check_claims={"iss": None, "aud": self.audience, "exp": None})
            return bool(json.loads(found.header)["typ"] == "at+jwt")
        except Exception:  # noqa: BLE001  whatever is wrong with it: not authorized
            return False

    def call(self, method: str, path: str, headers: Any, body: bytes) -> int:
        """Do what is asked, once per key; returns the status."""
        parts = path.strip("/").split("/")
        if parts[0] != "users" or len(parts) not in (2, 3):
            return 404
        key, sub = headers["idempotency-key"] or "", parts[1]
        if not self.signed(headers, body) or not self.authorized(headers):
            return 401
        if not key or not headers["x-request-id"] or headers["webhook-id"] != key:
            return 400
        with self.lock:
            self.store.execute("BEGIN IMMEDIATE")
            try:
                digest = sha256(body).hexdigest()
                before = self.store.execute("SELECT status FROM call WHERE key = ? AND first = 1", (key,)).fetchone()
                status = before[0] if before else self._effect(method, parts, sub, body)
                self.store.execute(
                    "INSERT INTO call (at, key, sub, method, path, digest, first, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (time.time(), key, sub, method, path, digest, int(before is None), status),
                )
                self.store.execute("COMMIT")
            except BaseException:
                self.store.execute("ROLLBACK")
                raise
        return status

    def _effect(self, method: str, parts: Sequence[str], sub: str, body: bytes) -> int:
        row = self.store.execute("SELECT body FROM person WHERE sub = ?", (sub,)).fetchone()
        if method == "POST" and len(parts) == 2:
            if row:
                return 409
            self.store.execute("INSERT INTO person VALUES (?, ?)", (sub, body.decode()))
            return 201
        if method == "PATCH" and (len(parts) == 2 or parts[2] == "allergies"):
            if not row:
                return 404
            self.store.execute("UPDATE person SET body = ? WHERE sub = ?", (json.dumps({**json.loads(row[0]), **json.loads(body)}), sub))
            return 200
        if method == "DELETE" and len(parts) == 2:
            self.store.execute("DELETE FROM person WHERE sub = ?", (sub,))
            return 204 if row else 404
        return 405

    def state(self) -> dict[str, Any]:
        """Everything, for people and tests."""
        with self.lock:
            people = {sub: json.loads(body) for sub, body in self.store.execute("SELECT sub, body FROM person")}
            names = ("number", "at", "key", "sub", "method", "path", "digest", "first", "status")
            calls = [
                dict(zip(names, row, strict=True)) for row in self.store.execute(f"SELECT {', '.join(names)} FROM call ORDER BY number")
            ]
        return {"people": people, "calls": calls, "switches": self.switches, "blocked": self.blocked}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        agent = self.server.agent
        if self.path == "/state":
            self._answer(200, json.dumps(agent.state()).encode())
        elif self.path == "/":
            self._answer(200, _page(agent.state()).encode(), "text/html; charset=utf-8")
        else:
            self._answer(404)

    def do_PUT(self) -> None:
        agent, body = self.server.agent, self._body()
        wanted = json.loads(body)
        if self.path == "/switches":
            agent.switches.update(wanted)
            if "seed" in wanted:
                agent.dice = random.Random(wanted["seed"])
        elif self.path == "/block":
            agent.blocked[wanted["sub"]] = int(wanted["status"])
            if not wanted["status"]:
                del agent.blocked[wanted["sub"]]
        else:
            self._answer(404)
            return
        self._answer(204)

    def _change(self) -> None:
        agent, body = self.server.agent, self._body()
        switches = agent.switches
        time.sleep(switches["delay"])
        if switches["stall"]:
            time.sleep(60)
        sub = [*self.path.split("/"), "", ""][2]
        if switches["down"] or sub in agent.blocked:
            self._answer(agent.blocked.get(sub, 503))
            return
        dice = agent.dice.random()
        if dice < switches["reset"]:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if dice < switches["reset"] + switches["fail"]:
            self._answer(500)
            return
        status = agent.call(self.command, self.path, self.headers, body)
        if dice < switches["reset"] + switches["fail"] + switches["slow"]:
            time.sleep(8)  # longer than anybody waits: processed, and the caller does not know
        self._answer(status)

    do_POST = do_PATCH = do_DELETE = _change  # noqa: N815  names of http.server

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        try:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the state page shows every call."""


class Server(ThreadingHTTPServer):
    """The server; `agent` is what it knows."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, agent: Agent, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.agent = agent
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is not our mistake."""


def _page(state: dict[str, Any]) -> str:
    from html import escape

    people = "".join(f"<tr><td>{escape(sub)}<td>{escape(json.dumps(body))}" for sub, body in state["people"].items())
    calls = "".join(
        f"<tr><td>{call['number']}<td>{escape(call['method'])}<td>{escape(call['path'])}<td>{call['status']}<td>{'' if call['first'] else 'again'}"
        for call in state["calls"][-200:][::-1]
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Agent</title><h1>Agent</h1>"
        f"<p>Switches: {escape(json.dumps(state['switches']))} {escape(json.dumps(state['blocked']))}"
        f"<h2>{len(state['people'])} people</h2><table><tr><th>sub<th>known{people}</table>"
        f"<h2>{len(state['calls'])} calls, newest first</h2><table><tr><th>#<th>method<th>path<th>status<th>{calls}</table>"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--secret", required=True, help="IDP_AGENT_SECRET")
    parser.add_argument("--issuer", default="", help="verify bearer tokens with the keys of this provider")
    parser.add_argument("--audience", default="", help="IDP_AGENT_URL, as tokens name us (default: http://HOST:PORT)")
    parser.add_argument("--database", default=":memory:")
    options = parser.parse_args()
    audience = options.audience or f"http://{options.host}:{options.port}"
    agent = Agent(secret=options.secret, issuer=options.issuer, audience=audience, database=options.database)
    Server(agent, host=options.host, port=options.port).serve_forever()


if __name__ == "__main__":
    main()
