"""operations.doctor: findings with remedies, exit status, one JSON document; also when the settings refuse to load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from pydantic import SecretStr
from pytest_django import Settings

from idp.accounts.models import User
from idp.kernel import clock
from idp.operations import doctor
from idp.operations.models import Heartbeat
from tests.support import production
from tests.support.servers import ROOT, child_environ, free_port


def rows(findings: Iterator[doctor.Row]) -> dict[str, str]:
    return {state: text for state, text, _ in findings}


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_settings_that_refuse_are_findings_with_remedies(tmp_path: Path) -> None:
    secret = "much-too-weak-s3cret"
    environ = child_environ(**production.environment(str(tmp_path))) | {"IDP_SECRET_KEY": secret, "IDP_ISSUER": "", "IDP_ISUER": "x"}
    done = run(environ, "doctor", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["ok"] is False
    said = " ".join(finding["text"] for finding in document["findings"])
    assert all(name in said for name in ("IDP_SECRET_KEY", "IDP_ISSUER", "IDP_ISUER"))
    assert all(finding["remedy"] for finding in document["findings"])
    assert secret not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_value_of_the_wrong_type_is_named_but_not_shown(tmp_path: Path) -> None:
    environ = child_environ(**production.environment(str(tmp_path))) | {"IDP_CODE_SECONDS": "canary"}
    for command in (["doctor"], ["check"]):
        done = run(environ, *command)
        assert done.returncode != 0
        assert "IDP_CODE_SECONDS" in done.stdout + done.stderr
        assert "canary" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_a_healthy_development_site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from idp.operations.setup import ensure_signing_keys

    ensure_signing_keys()
    Heartbeat.objects.create(name="worker", at=clock.now())
    monkeypatch.setattr(doctor, "EXAMINATIONS", tuple(one for one in doctor.EXAMINATIONS if one[0] not in ("redis", "mail")))
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    document = json.loads(out.getvalue())
    assert document["ok"] is True
    assert {finding["part"] for finding in document["findings"]} >= {"settings", "database", "worker", "signing keys", "outbox"}
    text = StringIO()
    call_command("doctor", stdout=text)
    assert "ok       database" in text.getvalue()


@pytest.mark.django_db
def test_what_is_broken_sets_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Iterator[doctor.Row]:
        yield "ok", "begins well", ""
        raise DatabaseError("secret detail")

    monkeypatch.setattr(doctor, "EXAMINATIONS", (("database", away),))
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("doctor", stdout=out, stderr=err)
    assert caught.value.code == 1
    assert "BROKEN" in out.getvalue()
    assert "database" in err.getvalue()
    assert "secret detail" not in out.getvalue()


@pytest.mark.django_db
def test_missing_keys_and_a_silent_worker_are_found(settings: Settings) -> None:
    assert "RS256" in rows(doctor._keys())["broken"]
    settings.IDP = settings.IDP.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    assert "no sign of life" in rows(doctor._worker())["broken"]
    Heartbeat.objects.create(name="worker", at=clock.now() - timedelta(minutes=5))
    assert "broken" in rows(doctor._worker())
    Heartbeat.objects.update(at=clock.now())
    assert "ok" in rows(doctor._worker())
    assert "broken" in rows(doctor._redis())


def test_the_gateway_of_text_messages(settings: Settings) -> None:
    def about(**values: object) -> dict[str, str]:
        settings.IDP = settings.IDP.model_copy(update=values)
        return rows(doctor._text_messages())

    gateway = "https://user:canary@sms.example/send"
    assert about(sms_url=SecretStr("")) == {}
    assert "nobody gets a code" in about(sms_codes=True)["warning"]
    assert about(sms_url=SecretStr("inbox:")).keys() == {"ok"}
    found = about(sms_url=SecretStr(gateway), sms_prefixes=("+49",))
    assert found == {"ok": "text messages go to sms.example (nothing was sent)."}
    assert "every country" in about(sms_prefixes=())["warning"]
    assert "in clear" in about(sms_url=SecretStr(gateway.replace("https", "http")))["unsafe"]
    assert "canary" not in str(list(doctor._text_messages()))
    assert "$text" in about(sms_fields='{"to": "$to"}')["broken"]


def test_the_file_of_breached_passwords(settings: Settings, tmp_path: Path) -> None:
    from idp.accounts import breached

    path = tmp_path / "breached.bin"

    def found(file: Path | None) -> dict[str, str]:
        settings.IDP = settings.IDP.model_copy(update={"breached_passwords_file": file})
        return rows(doctor._passwords())

    assert "short list" in found(None)["warning"]
    assert "cannot be used" in found(path)["broken"]
    path.write_bytes(b"something else")
    assert "cannot be used" in found(path)["broken"]
    with path.open("wb") as out:
        breached.build([b"%040X:1" % 7], out)
    assert "only 1 breached" in found(path)["warning"]


@pytest.mark.django_db
def test_missing_migrations_are_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'operations'")
    assert "1 migrations are missing" in rows(doctor._database())["broken"]


@pytest.mark.django_db
def test_a_sealing_key_is_needed_as_long_as_it_opens_anything(settings: Settings, person: User) -> None:
    """What a key seals may be in any of these columns: taking it away would lose that for good."""
    from django.apps import apps
    from django.db.models import TextField

    from idp.ssf.models import Stream

    settings.SEALING_KEYS = {"new": b"n" * 32, "old": b"o" * 32}
    assert not doctor._opens_something("old")
    for name, column in doctor.SEALED_COLUMNS:
        assert isinstance(apps.get_model(name)._meta.get_field(column), TextField)
    stream = Stream.objects.create(client_id="siem", authorization_sealed="old.abc")
    assert doctor._opens_something("old")
    stream.delete()
    person.claims = {"allergies": {"$sealed": "old.abc"}}
    person.save()
    assert doctor._opens_something("old")


@pytest.mark.django_db
def test_sealing_keys_that_are_lost_or_left_over_are_found(settings: Settings) -> None:
    from idp.operations.setup import ensure_signing_keys

    ensure_signing_keys()
    (present,) = settings.SEALING_KEYS
    settings.SEALING_KEYS = {"new": b"n" * 32, **settings.SEALING_KEYS, "old": b"o" * 32}
    texts = [text for _, text, _ in doctor._sealing()]
    assert f"still needed to open: {present}." in texts
    assert "nothing is sealed with: old." in texts
    settings.SEALING_KEYS = {"new": b"n" * 32}
    assert present in rows(doctor._sealing())["broken"]


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("inbox:", "ok"),
        ("smtp://127.0.0.1:{closed}", "broken"),
        ("smtps://127.0.0.1:{closed}", "broken"),
        ("smtp+tls://127.0.0.1:{closed}", "broken"),
    ],
)
def test_the_mail_server_is_called(url: str, state: str, settings: Settings) -> None:
    settings.IDP = settings.IDP.model_copy(update={"email_url": SecretStr(url.format(closed=free_port()))})
    assert state in rows(doctor._mail())


def test_mail_that_is_only_shown_is_unsafe_in_production(settings: Settings) -> None:
    settings.IDP = settings.IDP.model_copy(update={"env": "production", "issuer": "https://id.example.org"})
    assert "unsafe" in rows(doctor._mail())
    assert "IDP_TRUSTED_PROXIES" in rows(doctor._proxies())["warning"]


@pytest.mark.django_db
def test_demo_data_in_production_is_unsafe(settings: Settings, tmp_path: Path) -> None:
    from idp.operations.setup import ensure_demo_client, ensure_demo_person

    settings.IDP = settings.IDP.model_copy(update={"data_dir": tmp_path})
    ensure_demo_client()
    ensure_demo_person()
    assert list(doctor._demo()) == []
    settings.IDP = settings.IDP.model_copy(update={"env": "production"})
    assert [state for state, _, _ in doctor._demo()] == ["unsafe", "unsafe"]
