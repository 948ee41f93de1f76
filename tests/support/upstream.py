"""A small OpenID provider on a loopback port that tells the truth, or lies in whatever way a test wants."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc.jwk import RSAKey

from .client_keys import rsa_key, signed

if TYPE_CHECKING:
    from django.test import Client


@dataclass
class FakeUpstream:
    """What it is asked and what it answers. Change its members to make it lie."""

    issuer: str
    client_id: str = "kairos"
    client_secret: str = "upstream-secret"
    # Who signs in there, as claims of the ID token; `sub` is always there.
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "email": "ada@example.org", "email_verified": True, "name": "Ada L."}
    )
    claims: dict[str, Any] = field(default_factory=dict)  # over the honest ones; None leaves one out
    header: dict[str, Any] = field(default_factory=dict)
    token: str | None = None  # this instead of a signed ID token
    signing_key: RSAKey | None = None
    published: list[RSAKey] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)  # over the honest ones
    user_info: dict[str, Any] | None = None
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)  # path -> this instead
    slow: dict[str, float] = field(default_factory=dict)  # path -> seconds
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # method, path, form or query
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def key(self) -> RSAKey:
        return self.signing_key or rsa_key()

    def count(self, path: str) -> int:
        return sum(1 for _method, asked, _values in self.asked if asked == path)

    def arrive(self, location: str) -> dict[str, str]:
        """Check an authorization request as a strict provider would, and answer with the parameters of the callback."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize", location
        sent = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        assert all(len(values) == 1 for values in parse_qs(parts.query).values())
        assert sent["response_type"] == "code"
        assert sent["client_id"] == self.client_id
        assert sent["code_challenge_method"] == "S256"
        self.asked.append(("GET", "/authorize", sent))
        code = secrets.token_urlsafe(16)
        self.codes[code] = sent
        return {"code": code, "state": sent["state"], "iss": self.issuer}

    def id_token(self, nonce: str | None, **changes: Any) -> str:
        """An ID token of it, with its lies."""
        if self.token is not None:
            return self.token
        moment = int(time.time())
        honest = {"iss": self.issuer, "aud": self.client_id, "iat": moment, "exp": moment + 300, "nonce": nonce, **self.person}
        claims = {name: value for name, value in {**honest, **self.claims, **changes}.items() if value is not None}
        return signed(self.key, claims, alg="RS256", **{"kid": self.key.thumbprint(), **self.header})

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint()} for key in (self.published or [rsa_key()])]}

    def redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form.get("authorization", "").startswith("Basic "):
            named, _, secret = base64.b64decode(form["authorization"][6:]).decode().partition(":")
            form = {**form, "client_id": unquote(named), "client_secret": unquote(secret)}
        if form.get("client_secret") != self.client_secret or form.get("client_id") != self.client_id:
            return 401, {"error": "invalid_client"}
        sent = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if sent is None or proof != sent["code_challenge"] or form.get("redirect_uri") != sent["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at-" + secrets.token_urlsafe(8), "token_type": "Bearer", "id_token": self.id_token(sent.get("nonce"))}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeUpstream

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer("GET", {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self._answer("POST", {name: values[0] for name, values in parse_qs(body).items()})

    def _answer(self, method: str, values: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        fake = self.fake
        if path == "/authorize":  # a real browser came: nobody is asked anything here
            back = fake.arrive(f"{fake.issuer}{self.path}")
            self._send(302, {"Location": f"{values['redirect_uri']}?{urlencode(back)}"}, b"")
            return
        fake.asked.append((method, path, {**values, "authorization": self.headers.get("Authorization", "")}))
        time.sleep(fake.slow.get(path, 0))
        if path in fake.answers:
            self._send(*fake.answers[path])
        elif path == "/.well-known/openid-configuration":
            self._json(200, fake.document())
        elif path == "/keys":
            self._json(200, fake.keys())
        elif path == "/token":
            self._json(*fake.redeem({**values, "authorization": self.headers.get("Authorization", "")}))
        elif path == "/sdk":  # what a phone or a page asks without us
            self._send(200, {}, fake.id_token(values["nonce"]).encode())
        elif path == "/userinfo":
            self._json(200, fake.user_info if fake.user_info is not None else fake.person)
        else:
            self._json(404, {})

    def _json(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            return  # the other side had enough


@contextmanager
def fake_upstream(port: int = 0, *, host: str = "127.0.0.1") -> Iterator[FakeUpstream]:
    """Serve one on a free port, or this one, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    fake = FakeUpstream(f"http://{host}:{server.server_address[1]}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"fake": fake})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def reset(fake: FakeUpstream) -> None:
    """Honest again."""
    fresh = vars(FakeUpstream(fake.issuer))
    vars(fake).clear()
    vars(fake).update(fresh)


def go(client: Client, fake: FakeUpstream, *, name: str = "corp", path: str = "", **form: str) -> Any:
    """Press the button, be sent off, come back; the answer of our callback."""
    left = client.post(path or f"/federation/{name}/start", form)
    assert left.status_code == 200, left.content
    location = left["Refresh"].removeprefix("0; url=")
    return client.get(f"/federation/{name}/callback?{urlencode(fake.arrive(location))}")


def session_of(client: Client) -> Any:
    """The signed-in session of this browser."""
    return getattr(client.get("/account").wsgi_request, "op_session")  # noqa: B009 - the attribute is ours
