"""bin/setup on machines that lack something: each is told the package to install. The interpreters are stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import ROOT

# Answers the questions that bin/setup asks an interpreter: is it new enough, which version, does it have venv and pip.
STAND_IN = """#!/bin/sh
case "$*" in
    *version_info*"<"*) exit {old} ;;
    *platform*) echo {version} ;;
    *ensurepip*) exit {incomplete} ;;
    *version_info*) echo {minor} ;;
    "-m venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip "*) echo "$*" >>pip.log; exit {pip} ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "bin" / "setup", tmp_path / "bin" / "setup")
    for kind in ("run", "dev"):
        (tmp_path / "requirements" / f"{kind}.txt").write_text("somepackage==1\n")
    return tmp_path


def interpreter(folder: Path, *, version: str = "3.12.4", incomplete: bool = False, pip: int = 0) -> str:
    """A stand-in called python3 in a folder that is the only one on PATH besides the system's own tools."""
    minor = ".".join(version.split(".")[:2])
    old = int(tuple(map(int, version.split("."))) < (3, 11))
    place = folder / "path"
    place.mkdir(exist_ok=True)
    program = place / "python3"
    program.write_text(STAND_IN.format(old=old, version=version, minor=minor, incomplete=int(incomplete), pip=pip))
    program.chmod(0o755)
    return str(place)


def setup(checkout: Path, path: str, kind: str = "run") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": os.environ["HOME"], "PYTHON": "python3"}
    return subprocess.run(["bin/setup", kind], cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def installs(checkout: Path) -> int:
    log = checkout / "pip.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_python_that_is_too_old_is_named_with_what_to_install(checkout: Path):
    done = setup(checkout, interpreter(checkout, version="3.9.2"))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer (python3 is 3.9.2)" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_a_missing_venv_module_is_named_with_its_package(checkout: Path):
    done = setup(checkout, interpreter(checkout, version="3.12.4", incomplete=True))
    assert done.returncode == 1
    assert "apt install python3.12-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_the_lock_is_installed_once_with_hashes(checkout: Path):
    path = interpreter(checkout)
    assert setup(checkout, path).returncode == 0
    assert setup(checkout, path).returncode == 0
    assert installs(checkout) == 1
    assert "--require-hashes" in (checkout / "pip.log").read_text()


def test_a_changed_lock_is_installed_again(checkout: Path):
    path = interpreter(checkout)
    setup(checkout, path)
    (checkout / "requirements" / "run.txt").write_text("somepackage==2\n")
    setup(checkout, path)
    assert installs(checkout) == 2


def test_the_development_lock_serves_running_too(checkout: Path):
    path = interpreter(checkout)
    setup(checkout, path, "dev")
    setup(checkout, path, "run")
    assert installs(checkout) == 1


def test_a_failed_installation_is_tried_again(checkout: Path):
    failed = setup(checkout, interpreter(checkout, pip=1))
    assert failed.returncode == 1
    assert "pip could not install requirements/run.txt" in failed.stderr
    again = setup(checkout, interpreter(checkout, pip=0))
    assert again.returncode == 1, "the interpreter inside .venv is still the one that fails"
    assert installs(checkout) == 2


def test_a_lock_left_by_a_killed_set_up_does_not_block(checkout: Path):
    (checkout / ".setup-lock").mkdir()
    (checkout / ".setup-lock" / "pid").write_text("999999999")
    assert setup(checkout, interpreter(checkout)).returncode == 0
