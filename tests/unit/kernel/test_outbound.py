"""kernel.outbound against real servers on loopback: hostile cases SS-01 to SS-06."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from idp.kernel import outbound
from idp.kernel.outbound import Failed, Refused, check, fetch
from tests.support.clauses import clause

Answer = Callable[[socket.socket, bytes], None]


@pytest.fixture
def allow(settings: Settings) -> Callable[..., None]:
    def allow(*entries: str, **changes: Any) -> None:
        settings.IDP = settings.IDP.model_copy(update={"outbound_allow": entries, **changes})

    return allow


@contextmanager
def listening(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that hands each connection to `answer`; yields its port and the heads of the requests that arrived."""
    heads: list[bytes] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                        head = b""
                        while b"\r\n\r\n" not in head and (more := stream.recv(4096)):
                            head += more
                        if b"content-length: 2\r\n" in head.lower() and not head.endswith(b"{}"):
                            head += stream.recv(4096)
                        heads.append(head)
                        answer(stream, head)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], heads
        finally:
            stop.set()
            with socket.socket() as wake:
                wake.connect_ex(listener.getsockname())
    thread.join(5)


def saying(body: bytes = b"hello", status: str = "200 OK", *headers: str) -> Answer:
    lines = "".join(f"{header}\r\n" for header in headers).encode()

    def answer(stream: socket.socket, _: bytes) -> None:
        stream.sendall(b"HTTP/1.1 " + status.encode() + b"\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return answer


FORBIDDEN_URLS = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://localhost/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "http://93.184.216.34/",
    "gopher://93.184.216.34/",
    "file:///etc/passwd",
    "ftp://93.184.216.34/",
    "//93.184.216.34/",
    "93.184.216.34",
    "https://",
    "https:///path",
    "",
    "https://user@93.184.216.34/",
    "https://user:word@93.184.216.34/",
    "https://@93.184.216.34/",
    "https://93.184.216.34:22/",
    "https://93.184.216.34:25/",
    "https://93.184.216.34:6379/",
    "https://93.184.216.34:5432/",
    "https://93.184.216.34:0/",
    "https://93.184.216.34:99999/",
    "https://93.184.216.34:x/",
    "https://example.org\\@127.0.0.1/",
    "https://example.org\r\nHost: x/",
    "https://example.org/ space",
    "https://ex\x00ample.org/",
    "https://ex\u00e4mple.org/",
    "https://example.org/" + "a" * 3000,
]


@clause("hostile case SS-01", "hostile case SS-04")
@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_forbidden_targets_are_refused_when_saved_and_when_called(url: str) -> None:
    for attempt in (check, fetch):
        with pytest.raises(Refused) as caught:
            attempt(url)
        assert caught.value.public == outbound.OutboundError.public


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "1.1.1.1"])
def test_public_addresses_pass(address: str) -> None:
    assert outbound.is_public(ipaddress.ip_address(address))
    check("https://agent.example/events", resolver=lambda _host, _port: [address])


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["93.184.216.34", "::1"], ["::ffff:10.0.0.1"]])
def test_a_name_with_one_private_address_is_refused(found: list[str]) -> None:
    with pytest.raises(Refused):
        check("https://agent.example/", resolver=lambda _host, _port: found)


@pytest.mark.parametrize("found", [[], ["not an address"]])
def test_a_name_without_address_fails(found: list[str]) -> None:
    with pytest.raises(Failed):
        fetch("https://agent.example/", resolver=lambda _host, _port: found)


@clause("hostile case SS-02")
def test_an_answer_of_the_name_server_that_changes_changes_nothing(allow: Callable[..., None]) -> None:
    with listening(saying()) as (port, heads):
        answers = iter([["93.184.216.34"], ["127.0.0.1"]])
        check(f"https://agent.example:{port}/", resolver=lambda _host, _port: next(answers))
        with pytest.raises(Refused):
            fetch(f"https://agent.example:{port}/", resolver=lambda _host, _port: next(answers))
        assert heads == []
        # Within one call the name is asked for once, and that answer is where the connection goes.
        allow("127.0.0.0/8")
        once = iter([["127.0.0.1"]])
        assert fetch(f"http://agent.example:{port}/a?b=c", resolver=lambda _host, _port: next(once)).body == b"hello"
        assert heads[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
        assert f"host: agent.example:{port}\r\n".encode() in heads[0].lower()


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "localhost", "localhost:{port}"])
def test_what_is_allowed_may_be_private_and_http(allow: Callable[..., None], entry: str) -> None:
    with listening(saying()) as (port, _):
        allow(entry.format(port=port))
        host = "localhost" if "localhost" in entry else "127.0.0.1"
        answer = fetch(f"http://{host}:{port}/", resolver=lambda _host, _port: ["127.0.0.1"])
        assert (answer.status, answer.body) == (200, b"hello")


def test_another_port_of_an_allowed_endpoint_is_not(allow: Callable[..., None]) -> None:
    with listening(saying()) as (port, heads):
        allow(f"localhost:{port + 1}", "other.example")
        with pytest.raises(Refused):
            fetch(f"http://localhost:{port}/")
        assert heads == []


@pytest.mark.parametrize("entry", ["a/b", "host:port", ":80", ""])
def test_strange_entries_are_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        outbound.parse_allow([entry])


@clause("hostile case SS-03")
def test_redirects_are_answers(allow: Callable[..., None]) -> None:
    with listening(saying(b"", "302 Found", "Location: http://127.0.0.1:1/")) as (port, heads):
        allow("127.0.0.1")
        assert fetch(f"http://127.0.0.1:{port}/").status == 302
        assert len(heads) == 1


def test_proxies_of_the_environment_are_ignored(allow: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with listening(saying()) as (port, _):
        allow("127.0.0.1")
        assert fetch(f"http://127.0.0.1:{port}/").status == 200


def test_a_body_is_sent(allow: Callable[..., None]) -> None:
    with listening(saying()) as (port, heads):
        allow("127.0.0.1")
        fetch(f"http://127.0.0.1:{port}/", method="POST", content=b"{}", headers={"Content-Type": "application/json"})
        assert heads[0].startswith(b"POST / ")
        assert heads[0].endswith(b"\r\n\r\n{}")


def drip_headers(stream: socket.socket, _: bytes) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        stream.sendall(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


def drip_body(stream: socket.socket, _: bytes) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _number in range(1000):
        stream.sendall(b"x")
        time.sleep(0.05)


def silence(stream: socket.socket, _: bytes) -> None:
    stream.recv(1)


@clause("hostile case SS-05")
@pytest.mark.parametrize("answer", [drip_headers, drip_body, silence])
def test_one_deadline_covers_everything(allow: Callable[..., None], answer: Answer) -> None:
    with listening(answer) as (port, _):
        allow("127.0.0.1")
        started = time.monotonic()
        with pytest.raises(Failed):
            fetch(f"http://127.0.0.1:{port}/", seconds=0.5)
        assert time.monotonic() - started < 1.5


def test_a_hanging_name_server_is_left_behind() -> None:
    def hang(_host: str, _port: int) -> list[str]:
        time.sleep(1)
        return []

    started = time.monotonic()
    with pytest.raises(Failed):
        fetch("https://agent.example/", seconds=0.3, resolver=hang)
    assert time.monotonic() - started < 0.9


def endless_headers(stream: socket.socket, _: bytes) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000)


def endless_body(stream: socket.socket, _: bytes) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _number in range(10_000):
        stream.sendall(b"x" * 65536)


def bomb(stream: socket.socket, _: bytes) -> None:
    packed = gzip.compress(b"\0" * 20_000_000, 9)
    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


def garbage(stream: socket.socket, _: bytes) -> None:
    stream.sendall(b"220 mail.example ESMTP secret-banner\r\n")


def hang_up(_stream: socket.socket, _: bytes) -> None:
    pass


@clause("hostile case SS-05", "hostile case SS-06")
@pytest.mark.parametrize(
    "answer",
    [
        endless_headers,
        endless_body,
        bomb,
        garbage,
        saying(b"x" * 300_000),
        saying(b"not gzip", "200 OK", "Content-Encoding: gzip"),
        saying(b"x", "200 OK", "Content-Encoding: br"),
        hang_up,
    ],
)
def test_strange_answers_fail_and_tell_nothing(allow: Callable[..., None], answer: Answer) -> None:
    with listening(answer) as (port, _):
        allow("127.0.0.1")
        with pytest.raises(Failed) as caught:
            fetch(f"http://127.0.0.1:{port}/")
        assert "secret" not in str(caught.value)
        assert caught.value.public == outbound.OutboundError.public


@clause("hostile case FT-09")
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (endless_body, b"x" * 1000),
        (bomb, b"\0" * 1000),
        (saying(b"x" * 300_000), b"x" * 1000),
        (saying(b"short"), b"short"),
        (saying(b"not gzip", "200 OK", "Content-Encoding: gzip"), b""),
        (saying(b"x", "200 OK", "Content-Encoding: br"), b""),
    ],
)
def test_where_the_status_says_it_all_a_strange_body_does_no_harm(allow: Callable[..., None], answer: Answer, body: bytes) -> None:
    with listening(answer) as (port, _):
        allow("127.0.0.1")
        found = fetch(f"http://127.0.0.1:{port}/", max_bytes=1000, whole=False)
    assert (found.status, found.body) == (200, body)


def test_gzip_is_unpacked(allow: Callable[..., None]) -> None:
    with listening(saying(gzip.compress(b"a" * 1000), "200 OK", "Content-Encoding: gzip")) as (port, _):
        allow("127.0.0.1")
        assert fetch(f"http://127.0.0.1:{port}/", max_bytes=1000).body == b"a" * 1000


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


def test_certificates_are_verified_for_the_name_not_the_address(allow: Callable[..., None], tmp_path: Path) -> None:
    tls, authority = certificate(tmp_path, "agent.example")
    with listening(saying(), tls=tls) as (port, heads):

        def resolver(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        allow("127.0.0.1")
        with pytest.raises(Failed):  # nobody vouches for it
            fetch(f"https://agent.example:{port}/", resolver=resolver)
        allow("127.0.0.1", outbound_ca_file=authority)
        assert fetch(f"https://agent.example:{port}/", resolver=resolver).status == 200
        assert len(heads) == 1
        with pytest.raises(Failed):  # vouched for, but for another name
            fetch(f"https://other.example:{port}/", resolver=resolver)
        assert len(heads) == 1
