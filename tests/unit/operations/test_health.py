"""operations.health: parts, answers, floods, and parts that hang."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from idp.operations import health

READINESS = health.readiness


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "_last", None)
    monkeypatch.setattr(health, "_hanging", {})
    return iter([None])


def fine() -> None:
    pass


def broken() -> None:
    raise ConnectionError("postgresql://kairos:password@10.0.0.3/kairos refused")


def answer(path: str, method: str = "GET") -> HttpResponse:
    middleware = health.HealthMiddleware(lambda _: HttpResponse("passed on"))
    response = middleware(RequestFactory().generic(method, path, headers={"host": "10.1.2.3"}))
    assert isinstance(response, HttpResponse)
    return response


def test_other_requests_pass_on() -> None:
    assert answer("/login").content == b"passed on"
    assert answer("/livez/").content == b"passed on"


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_any_host_may_ask_but_not_change(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "readiness", lambda: {"database": "ok"})
    assert answer(path).status_code == 200
    assert answer(path)["Cache-Control"] == "no-store"
    assert answer(path, "HEAD").content == b""
    refused = answer(path, "POST")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")


def test_not_ready_names_the_part_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "readiness", lambda: READINESS({"database": broken, "redis": fine}))
    response = answer("/readyz")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert json.loads(response.content) == {"status": "not ready", "parts": {"database": "failing", "redis": "ok"}}


def test_a_flood_of_probes_costs_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(health, "readiness", lambda: calls.append(1) or {"database": "ok"})
    for _ in range(50):
        answer("/readyz")
    assert len(calls) == 1


def test_a_part_that_hangs_takes_one_thread_and_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
    release = threading.Event()

    def hang() -> None:
        release.wait(10)

    started = time.monotonic()
    try:
        for _ in range(5):
            assert health.readiness({"database": hang, "redis": fine}) == {
                "database": "failing",
                "redis": "ok",
            }
        assert time.monotonic() - started < 1.5
    finally:
        release.set()


@pytest.mark.django_db(transaction=True)
def test_the_real_parts_without_keys() -> None:
    health.database()
    health.redis()
    health.broker()
    with pytest.raises(Exception, match="RS256"):
        health.signing_keys()
