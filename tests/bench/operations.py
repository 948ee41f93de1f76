"""What is measured: the same requests for every provider, ours and the peers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from . import load
from .load import Source

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
REDIRECT_URI = "https://app.bench.example/callback"
_CODE = re.compile(rb"[?&]code=([^&\r\n]+)")


@dataclass
class Client:
    """A registered client of the provider under test."""

    client_id: str
    secret: str

    @property
    def basic(self) -> str:
        pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


@dataclass
class Provider:
    """A running provider: where its endpoints are, and which processes answer."""

    name: str
    port: int
    pids: Callable[[], list[int]]
    headers: Mapping[str, str]
    paths: Mapping[str, str]
    database: bool = True  # whether its database time counts
    cookie: str = ""
    redirects_by: int = 302

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None) -> bytes:
        """The bytes of one HTTP/1.1 request."""
        body = urlencode(form).encode() if form is not None else b""
        lines = {**self.headers, **(headers or {})}
        if form is not None:
            lines |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def load(self, source: Source, *, status: int, connections: int, seconds: float, most: int) -> load.Load:
        """A round of requests; see `load.run`."""
        return load.run(self.port, source, status=status, connections=connections, seconds=seconds, most=most)

    def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of one answer, outside of any round."""
        answers: list[tuple[bytes, bytes]] = []
        requests = [request]

        def source(number: int, head: bytes, body: bytes) -> bytes | None:
            if head:
                answers.append((head, body))
            return requests.pop() if requests else None

        self.load(source, status=200, connections=1, seconds=30, most=2)
        head, body = answers[0]
        return int(head.split(b" ", 2)[1]), head, body


@dataclass
class Operation:
    """One row of the table. `prepare` makes `n` inputs that can be used once; the rest repeats the same request."""

    name: str
    provider: Provider
    source: Source
    status: int = 200
    prepare: Callable[[int], None] | None = None
    most: int = 200_000
    connections: int | None = None


def constant(request: bytes) -> Source:
    """The same request again and again."""
    return lambda _number, _head, _body: request


def token_request(provider: Provider, client: Client, form: Mapping[str, str]) -> bytes:
    """A request to the token endpoint by client_secret_basic."""
    return provider.request("POST", provider.paths["token"], headers={"Authorization": client.basic}, form=form)


def client_credentials(name: str, provider: Provider, client: Client, scope: str) -> Operation:
    """RFC 6749 4.4."""
    form = {"grant_type": "client_credentials", "scope": scope} if scope else {"grant_type": "client_credentials"}
    return Operation(name, provider, constant(token_request(provider, client, form)))


@dataclass
class SignedIn:
    """A person's session with remembered consent at one client: gives codes, tokens and families."""

    provider: Provider
    client: Client
    scope: str
    codes: list[str] = field(default_factory=list)
    tokens: list[dict[str, str]] = field(default_factory=list)

    def authorize_path(self, **more: str) -> str:
        members = {"response_type": "code", "client_id": self.client.client_id, "redirect_uri": REDIRECT_URI, "scope": self.scope}
        members |= {"state": "af0ifjsldkj", "nonce": "n-0S6_WzA2Mj", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        return f"{self.provider.paths['authorize']}?{urlencode(members | more)}"

    def authorize_source(self) -> Source:
        request = self.provider.request("GET", self.authorize_path(), headers={"Cookie": self.provider.cookie})

        def source(_number: int, head: bytes, _body: bytes) -> bytes | None:
            if head and (found := _CODE.search(head)):
                self.codes.append(found[1].decode())
            return request

        return source

    def redeem_source(self) -> Source:
        def source(_number: int, _head: bytes, body: bytes) -> bytes | None:
            if body.startswith(b"{"):
                self.tokens.append(json.loads(body))
            if not self.codes:
                return None
            form = {"grant_type": "authorization_code", "code": self.codes.pop(), "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
            return token_request(self.provider, self.client, form)

        return source

    def make_codes(self, count: int) -> None:
        """Have `count` fresh codes ready."""
        self.codes.clear()
        self.provider.load(self.authorize_source(), status=302, connections=8, seconds=30, most=count + 8)
        if not self.codes:
            _, head, body = self.provider.ask(self.provider.request("GET", self.authorize_path(), headers={"Cookie": self.provider.cookie}))
            raise RuntimeError(f"{self.provider.name} gives no code: {(head + body)[:1500]!r}")

    def make_tokens(self, count: int) -> None:
        """Have the answers to `count` code exchanges ready."""
        self.tokens.clear()
        self.make_codes(count + 8)
        made = self.provider.load(self.redeem_source(), status=200, connections=8, seconds=30, most=count + 8)
        if made.refused or not self.tokens:
            raise RuntimeError(f"{self.provider.name} gives no tokens: {made.example}")


def authorize(signed_in: SignedIn) -> Operation:
    """OIDC Core 3.1.2 with a session and remembered consent: straight back to the app with a code."""
    return Operation(
        "authorize, session and consent known", signed_in.provider, signed_in.authorize_source(), signed_in.provider.redirects_by
    )


def redeem(name: str, signed_in: SignedIn) -> Operation:
    """RFC 6749 4.1.3."""
    return Operation(name, signed_in.provider, signed_in.redeem_source(), prepare=signed_in.make_codes, most=3000)


def refresh(name: str, signed_in: SignedIn) -> Operation:
    """RFC 6749 6: every connection follows its own family, each answer holds the token of the next request."""

    def source(_number: int, _head: bytes, body: bytes) -> bytes | None:
        if body.startswith(b"{"):
            answer = json.loads(body)
        elif signed_in.tokens:
            answer = signed_in.tokens.pop()
        else:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
        return token_request(signed_in.provider, signed_in.client, form)

    return Operation(name, signed_in.provider, source, prepare=lambda _count: signed_in.make_tokens(16))


def userinfo(signed_in: SignedIn) -> Operation:
    """OIDC Core 5.3."""
    held: list[bytes] = []

    def prepare(_count: int) -> None:
        signed_in.make_tokens(1)
        bearer = {"Authorization": f"Bearer {signed_in.tokens[0]['access_token']}"}
        held[:] = [signed_in.provider.request("GET", signed_in.provider.paths["userinfo"], headers=bearer)]

    return Operation("userinfo", signed_in.provider, lambda _n, _h, _b: held[0], prepare=prepare)


def introspect(signed_in: SignedIn) -> Operation:
    """RFC 7662: an active access token of a person, asked for by its client."""
    held: list[bytes] = []
    provider = signed_in.provider

    def prepare(_count: int) -> None:
        signed_in.make_tokens(1)
        form = {"token": signed_in.tokens[0]["access_token"]}
        held[:] = [provider.request("POST", provider.paths["introspect"], headers={"Authorization": signed_in.client.basic}, form=form)]
        _, _, body = provider.ask(held[0])
        if b'"active":true' not in body.replace(b" ", b""):
            raise RuntimeError(f"{provider.name}: the token is not active: {body[:300]!r}")

    return Operation("introspection", provider, lambda _n, _h, _b: held[0], prepare=prepare)


def revoke(signed_in: SignedIn) -> Operation:
    """RFC 7009: a refresh token, and with it all that its authorization gave."""
    provider = signed_in.provider

    def source(_number: int, _head: bytes, _body: bytes) -> bytes | None:
        if not signed_in.tokens:
            return None
        form = {"token": signed_in.tokens.pop()["refresh_token"], "token_type_hint": "refresh_token"}
        return provider.request("POST", provider.paths["revoke"], headers={"Authorization": signed_in.client.basic}, form=form)

    return Operation("revocation", provider, source, prepare=signed_in.make_tokens, most=1500)


def document(name: str, provider: Provider, path: str) -> Operation:
    """Discovery, JWKS, and the trivial answers."""
    return Operation(name, provider, constant(provider.request("GET", path)))
