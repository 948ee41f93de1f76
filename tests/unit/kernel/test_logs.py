"""kernel.logs: no secret, one line, bounded (hostile cases IN-11, OP-04, CO-12, EM-16)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from idp.kernel import context, logs
from idp.kernel.middleware import RequestContextMiddleware

CANARY = "c4n4ry-" + "x" * 24
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str], settings: Settings) -> Callable[[], str]:
    settings.IDP = settings.IDP.model_copy(update={"log_level": "DEBUG", "env": "production"})
    return lambda: capfd.readouterr().err


def formatted(record: logging.LogRecord) -> str:
    before = settings_of_logging()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(serializer=logs.dump)],
    )
    return formatter.format(record)


def settings_of_logging() -> Any:
    from django.conf import settings

    return settings.LOGGING["formatters"]["line"]["foreign_pre_chain"]


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Set-Cookie", "cookie", "code", "access_token", "refreshToken", "client_secret", "password", "new_password1",
     "code_verifier", "client_assertion", "id_token_hint", "login-hint", "state", "nonce", "csrfmiddlewaretoken_token", "api_key"],
)  # fmt: skip
def test_values_with_such_names_are_hidden_at_any_depth(name: str) -> None:
    line = logs.redact(None, "", {"event": "x", name: CANARY, "more": [{name: CANARY}, {"deep": {name: CANARY}}]})
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize("name", ["status_code", "client_id", "reason", "kid", "key_id", "token_type", "username", "seconds"])
def test_harmless_names_stay(name: str) -> None:
    assert logs.redact(None, "", {name: "abc"})[name] == "abc"


@pytest.mark.parametrize(
    "text",
    [f"got {JWT} back", f"Authorization: Bearer {CANARY}", f"Basic {CANARY}=", f"postgresql://kairos:{CANARY}@db/x failed",
     f"POST /token?code={CANARY}&state=1", f"client_secret={CANARY}", f"{{'refresh_token': '{CANARY}'}}", f'"password": "{CANARY}"',
     f"redis://:{CANARY}@localhost:6379", f"DPoP {CANARY}"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden_in_any_text(text: str) -> None:
    assert CANARY not in logs.clean_text(text)
    assert "eyJ" not in logs.clean_text(text)


def test_a_harmless_text_is_left_alone() -> None:
    text = "Client demo asked for scope openid (status code: 400) in 3 ms"
    assert logs.clean_text(text) == text


def test_hostile_characters_are_encoded_and_sizes_bounded() -> None:
    line = logs.redact(
        None, "", {"agent": "a\r\nlevel=error\x1b[31m\u2028\u202e\x00" + "b" * 100_000, "many": list(range(10_000)), "b": b"x"}
    )
    written = logs.dump(line)
    assert written.isascii()
    assert "\n" not in written
    assert "\r\n" not in line["agent"]
    assert len(written) < 5000


def test_a_failure_of_any_library_is_one_json_line_without_its_secrets() -> None:
    try:
        raise ValueError(f"token={CANARY} \n {JWT}")
    except ValueError as error:
        record = logging.LogRecord(
            "some.library", logging.ERROR, __file__, 1, "sent %s to %s", (JWT, "rp"), (ValueError, error, error.__traceback__)
        )
    token = context.enter(context.RequestContext(request_id="abcdefgh"))
    try:
        text = formatted(record)
    finally:
        context.leave(token)
    line = json.loads(text)
    assert line["request_id"] == "abcdefgh"
    assert line["level"] == "error"
    assert line["logger"] == "some.library"
    assert line["event"] == f"sent {logs.HIDDEN} to rp"
    assert "ValueError" in line["exception"]
    assert CANARY not in text
    assert "\n" not in text


def test_libraries_that_would_log_bodies_are_never_below_warning() -> None:
    for name in ("oauthlib", "oauth2_provider", "allauth", "httpx", "httpcore", "django.db.backends", "kombu", "django.template"):
        assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING, name


def test_one_access_line_per_request(written: Callable[[], str]) -> None:
    uuid = "6f1c9a52-0a4c-4b42-8ae5-0c6d7d3b9f11"
    path = f"/password/reset/1-c9x2k3-{'ab12' * 8}/{uuid}/%E2%80%AEx%0D%0A"
    request = RequestFactory().get(path, query_params={"code": CANARY}, REMOTE_ADDR="198.51.100.7")
    response = RequestContextMiddleware(lambda _: HttpResponse(status=418))(request)
    text = written()
    line = json.loads(text)
    assert text.count("\n") == 1
    assert line["status"] == 418
    assert line["method"] == "GET"
    assert line["ip"] == "198.51.100.7"
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["ms"] >= 0
    assert CANARY not in text
    assert "ab12ab12" not in text
    assert uuid in line["path"]
    assert line["path"].endswith("/\\u202ex\\r\\n")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/authorize/resume", "/"])
def test_our_own_paths_are_readable(path: str) -> None:
    assert logs.clean_path(path) == path


def test_a_closed_standard_error_fails_no_request(monkeypatch: pytest.MonkeyPatch, written: Callable[[], str]) -> None:
    def closed(*_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", closed)
    logs.access(context.NOBODY, method="GET", path="/", status=200, seconds=0.1)
