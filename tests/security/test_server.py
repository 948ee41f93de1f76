"""What the web server itself makes of hostile bytes: hostile cases PX-05, PX-06, PX-07, PX-10, PX-13, PX-14, IN-10."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.clauses import clause
from tests.support.servers import Server, development_site

pytestmark = [pytest.mark.slow, pytest.mark.embedded]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with development_site(IDP_TRUSTED_PROXIES="127.0.0.1") as (running, _):
        yield running
        assert running.process.poll() is None, "the server did not survive"
        assert " 500 " not in running.log
        assert "Traceback" not in running.log


def exchange(server: Server, request: bytes, *, seconds: float = 10) -> bytes:
    """Send raw bytes, return the raw answer; b"" when the server closed without one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end: the answer may be there all the same
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except (ConnectionResetError, TimeoutError):
            pass
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def request(server: Server, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    head = [line + b" HTTP/1.1", b"Host: localhost:%d" % server.port, b"Connection: close", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@clause("hostile case PX-10", "hostile case IN-10")
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([b"X-%d: y" % number for number in range(500)], {400, 431}),
        ([b"Cookie: a=" + b"b" * 65536], {400, 431}),
        ([b"X: " + b"y" * 1_000_000], {400, 431}),
        ([b"X-Broken : y"], {400}),
        ([b"X: y\nX-Injected: z"], {200, 400}),
        ([b"X: \x00"], {400}),
        ([b" folded"], {400}),
        ([b"X-Request-ID: a\x0bb"], {200, 400}),
        # RFC 9112 6.3: the chunks count, and the length is dropped. nginx refuses it (tests/flows/test_production.py).
        ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], {200, 400}),
        ([b"Transfer-Encoding: gzip, chunked, identity"], {400, 501}),
        ([b"Content-Length: 5", b"Content-Length: 6"], {400}),
        ([b"Content-Length: -1"], {400}),
        ([b"Expect: 200-nothing"], {200, 417}),
    ],
)
def test_hostile_headers(server: Server, headers: list[bytes], allowed: set[int]) -> None:
    answer = exchange(server, request(server, b"GET /livez", *headers))
    assert status(answer) in allowed, answer[:300]


@clause("hostile case PX-07", "hostile case PX-14")
@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        (b"/login?x=" + b"y" * 16_384, {200, 400, 414}),
        (b"/" + b"y" * 66_000, {404, 414, 431}),
        (b"/%00", {400, 404}),
        (b"/%zz", {400, 404}),
        (b"/%ff%fe", {400, 404}),
        (b"/\xff", {400}),
        (b"//evil.example/login", {400, 404}),
        (b"/static/%2e%2e/%2e%2e/idp/settings/__init__.py", {400, 404}),
        (b"/static/../manage.py", {400, 404}),
        (b"/static/..%2f..%2fmanage.py", {400, 404}),
        (b"/staff/;x=/..", {302, 400, 404}),  # to the sign-in page, as every address below /staff/
        (b"/LOGIN", {404}),
        (b"/authorize?client_id=%00", {400}),
        (b"/authorize?client_id=%zz&client_id=%ff", {400}),
        (b"http://evil.example/login", {200, 400, 404}),
        (b"*", {400, 404}),
    ],
)
def test_hostile_targets(server: Server, target: bytes, allowed: set[int]) -> None:
    answer = exchange(server, request(server, b"GET " + target))
    assert status(answer) in allowed, answer[:300]
    assert b"evil.example" not in answer
    assert b"IDP_" not in answer


@clause("hostile case PX-13")
@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"BREW", b"PROPFIND", b"OPTIONS", b"DELETE"])
def test_strange_methods_change_nothing(server: Server, method: bytes) -> None:
    for path in (b"/token", b"/login", b"/livez"):
        assert status(exchange(server, request(server, method + b" " + path))) in {200, 204, 400, 403, 404, 405, 501}


def test_a_method_override_header_is_ignored(server: Server) -> None:
    answer = exchange(server, request(server, b"GET /livez", b"X-HTTP-Method-Override: DELETE"))
    assert status(answer) == 200


@clause("hostile case PX-05")
@pytest.mark.parametrize("path", [b"/token", b"/login", b"/introspect", b"/revoke", b"/authorize"])
def test_an_oversized_body_is_refused_quickly(server: Server, path: bytes) -> None:
    started = time.monotonic()
    size = 10 * 1024 * 1024
    headers = [b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % size]
    answer = exchange(server, request(server, b"POST " + path, *headers, body=b"a=" + b"b" * (size - 2)))
    assert status(answer) in {0, 400, 403, 413}, answer[:300]
    assert time.monotonic() - started < 5


@clause("hostile case PX-06")
def test_an_endless_chunked_body_is_cut(server: Server) -> None:
    head = request(server, b"POST /token", b"Content-Type: application/x-www-form-urlencoded", b"Transfer-Encoding: chunked")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head)
        sent = 0
        try:
            while sent < 200 * 1024 * 1024:
                connection.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
        assert sent < 200 * 1024 * 1024, "the server swallowed 200 MiB"
    assert status(exchange(server, request(server, b"GET /livez"))) == 200


def test_a_body_longer_than_it_says_is_not_a_second_request(server: Server) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = b"grant_type=x"
    answer = exchange(
        server,
        request(
            server,
            b"POST /token",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: %d" % len(body),
            body=body + smuggled,
        ),
    )
    assert answer.count(b"HTTP/1.1 ") == 1


def test_another_host_is_refused_without_an_echo(server: Server) -> None:
    answer = exchange(server, b"GET /login HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert status(answer) == 400
    assert b"evil.example" not in answer
    assert status(exchange(server, b"GET /livez HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n")) == 200


def test_many_idle_connections_keep_nobody_out(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(200)]
    try:
        assert status(exchange(server, request(server, b"GET /livez"))) == 200
    finally:
        for connection in idle:
            connection.close()
