"""deploy/: no secret in any file, an example that refuses to start, the commands that the tests start too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import servers
from tests.support.servers import ROOT, child_environ

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
EXAMPLE = (ROOT / ".env.example").read_text()


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def manage(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    made = subprocess.run([sys.executable, ROOT / "deploy/make_env.py"], capture_output=True, text=True, check=True)
    path = tmp_path / "trial.env"
    path.write_text(made.stdout)
    return path


def test_the_example_holds_no_secret_and_refuses_to_start(tmp_path: Path) -> None:
    assert {name: value for name, value in variables(EXAMPLE).items() if value} == {"IDP_ENV": "production"}
    copied = tmp_path / "copied.env"
    copied.write_text(EXAMPLE)
    done = manage(child_environ() | {"IDP_ENV_FILE": str(copied)}, "check")
    assert done.returncode != 0
    for name in ("IDP_SECRET_KEY", "IDP_SEALING_KEYS", "IDP_ISSUER", "IDP_DATABASE_URL", "IDP_REDIS_URL", "IDP_EMAIL_URL"):
        assert name in done.stderr


def test_every_variable_of_the_example_is_a_setting() -> None:
    from django.conf import settings

    known = {f"IDP_{name}".upper() for name in type(settings.IDP).model_fields}
    assert {name for name in variables(EXAMPLE) if name.startswith("IDP_")} <= known


def test_a_filled_example_is_accepted_and_clean(trial: Path) -> None:
    filled = variables(trial.read_text())
    assert all(filled.values())
    done = manage(child_environ() | {"IDP_ENV_FILE": str(trial)}, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    again = subprocess.run([sys.executable, ROOT / "deploy/make_env.py"], capture_output=True, text=True, check=True).stdout
    assert variables(again)["IDP_SECRET_KEY"] != filled["IDP_SECRET_KEY"]


def test_compose_holds_no_secret() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|secret)[a-z_]*[:=]\s*[\"']?[A-Za-z0-9+/=_-]{6,}", text)
    assert not re.search(r"://[^\s/@]+@", text)
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value.startswith("${"), name


def test_compose_runs_what_the_tests_run() -> None:
    commands = {name: service.get("command") for name, service in COMPOSE["services"].items()}
    assert commands["migrate"] == ["python", "manage.py", "prepare"]
    assert commands["web"][:3] == ["python", "manage.py", "serve"]
    assert commands["worker"] == ["python", "manage.py", "worker"]
    assert commands["beat"] == ["python", "manage.py", "beat"]
    started = Path(servers.__file__).read_text()
    for command in ("prepare", "serve", "worker", "beat"):
        assert f'"{command}"' in started
    assert set(COMPOSE["services"]) == {"migrate", "web", "worker", "beat", "nginx", "postgres", "redis", "mailpit", "agent"}


def test_containers_of_ours_have_no_rights() -> None:
    for name in ("migrate", "web", "worker", "beat"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER (?!0|root)", dockerfile, re.MULTILINE)


def test_every_port_is_published_on_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_agrees_with_its_own_program_where_there_is_one(trial: Path, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        return  # nothing to ask; the assertions above hold without it
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(trial, tmp_path / ".env")
    done = subprocess.run(
        [docker, "compose", "config", "--quiet"], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr


def test_nginx_overwrites_what_it_forwards() -> None:
    template = (ROOT / "deploy/nginx/kairos.conf.template").read_text()
    assert "$proxy_add_x_forwarded_for" not in template
    for line in (
        "X-Forwarded-For $remote_addr",
        "X-Forwarded-Proto $scheme",
        "X-Request-ID $request_id",
        'Forwarded ""',
        "Host $http_host",
    ):
        assert f"proxy_set_header {line};" in template
    used = set(re.findall(r"\$\{(KAIROS_[A-Z_]+)\}", template)) - {"KAIROS_"}
    assert used == set(COMPOSE["services"]["nginx"]["environment"])
