"""kernel.context and kernel.middleware: request ids, client address behind proxies (hostile cases PW-09, IN-11), headers."""

from __future__ import annotations

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from idp.kernel import context
from idp.kernel.middleware import RequestContextMiddleware, SecurityHeadersMiddleware
from tests.support.clauses import clause

PROXIES = ("10.0.0.0/8", "fd00::/8", "127.0.0.1")


@pytest.fixture(autouse=True)
def proxies(settings: Settings) -> None:
    settings.IDP = settings.IDP.model_copy(update={"trusted_proxies": PROXIES})


@clause("hostile case PW-09")
@pytest.mark.parametrize(
    ("peer", "forwarded_for", "ip"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy of ours: its header is nothing but a claim
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # the client wrote the left part
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 10.0.0.7", "10.0.0.9"),
        ("10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, garbage, 10.0.0.7", "10.0.0.7"),
        ("10.0.0.1", "198.51.100.1,", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:51000", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0::1", "2001:db8::1"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
        ("10.0.0.1", "0177.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", ", ".join(["198.51.100.1"] * 50), "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, " + ", ".join(["10.0.0.2"] * 50), "10.0.0.2"),
        ("10.0.0.1", "x" * 100_000, "10.0.0.1"),
        ("", "198.51.100.1", ""),
        ("unix", "198.51.100.1", ""),
    ],
)
def test_client_address(peer: str, forwarded_for: str, ip: str) -> None:
    assert context.from_environ({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded_for}).ip == ip


@pytest.mark.parametrize(
    ("peer", "proto", "scheme", "secure"),
    [
        ("203.0.113.9", "https", "http", False),
        ("10.0.0.1", "https", "http", True),
        ("10.0.0.1", "http", "https", False),
        ("10.0.0.1", "https, http", "http", False),
        ("10.0.0.1", None, "https", True),
        ("203.0.113.9", "http", "https", True),
    ],
)
def test_scheme(peer: str, proto: str | None, scheme: str, secure: bool) -> None:
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": scheme}
    if proto is not None:
        environ["HTTP_X_FORWARDED_PROTO"] = proto
    here = context.from_environ(environ)
    assert here.secure is secure
    context.settle(environ, here)
    assert environ == {"REMOTE_ADDR": peer, "wsgi.url_scheme": "https" if secure else "http"}


@pytest.mark.parametrize("inbound", ["", "short", "x" * 65, "has space here", "a\r\nb: c-12345", "<script>alert", "é" * 10, "-abcdefgh"])
def test_a_strange_request_id_is_replaced(inbound: str) -> None:
    made = context.from_environ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_REQUEST_ID": inbound}).request_id
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_a_request_id_is_believed_from_a_proxy_only() -> None:
    assert context.from_environ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_REQUEST_ID": "trace-12345678"}).request_id == "trace-12345678"
    assert context.from_environ({"REMOTE_ADDR": "203.0.113.9", "HTTP_X_REQUEST_ID": "trace-12345678"}).request_id != "trace-12345678"


def test_a_user_agent_is_one_bounded_line() -> None:
    hostile = "Fox\x1b[31m\r\nX: y\x00\u202e" + "a" * 5000
    agent = context.from_environ({"HTTP_USER_AGENT": hostile.encode("utf-8").decode("latin-1")}).user_agent
    assert agent.startswith("Fox?[31m??X: y?")
    assert agent.isprintable()
    assert len(agent) <= 300


def test_the_middleware_sets_and_clears_the_context() -> None:
    seen: list[context.RequestContext] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(context.current())
        assert request.is_secure()
        assert request.META["REMOTE_ADDR"] == "198.51.100.1"
        return HttpResponse()

    request = RequestFactory().get(
        "/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.1", HTTP_X_FORWARDED_PROTO="https", HTTP_X_REQUEST_ID="abcdefgh"
    )
    response = RequestContextMiddleware(view)(request)
    assert response.headers["X-Request-ID"] == "abcdefgh"
    assert seen == [context.RequestContext("abcdefgh", "198.51.100.1", "", secure=True)]
    assert context.current() == context.NOBODY


def test_every_answer_carries_the_headers_unless_the_view_decided() -> None:
    def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": "public, max-age=300"})

    response = SecurityHeadersMiddleware(view)(RequestFactory().get("/"))
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert response.headers["X-Frame-Options"] == "DENY"
    plain = SecurityHeadersMiddleware(lambda _: HttpResponse())(RequestFactory().get("/"))
    assert plain.headers["Cache-Control"] == "no-store"
    assert plain.headers["Referrer-Policy"] == "same-origin"
