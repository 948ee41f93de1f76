"""idp/ARCHITECTURE.md, floors: imports only go down, and every app has its place."""

import subprocess
import sys
from pathlib import Path

from django.apps import apps

from .test_rooms import rooms

ROOT = Path(__file__).resolve().parents[2]


def test_imports_only_go_down():
    # The contract is [tool.importlinter] in pyproject.toml; a process of its own, because the program configures logging.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_app_of_ours_is_on_the_map():
    text = (ROOT / "idp" / "ARCHITECTURE.md").read_text()
    ours = [config.name.removeprefix("idp.") for config in apps.get_app_configs() if config.name.startswith("idp.")]
    assert [name for name in ours if f"`{name}/`" not in text] == []


def test_every_room_is_on_the_map():
    text = (ROOT / "idp" / "ARCHITECTURE.md").read_text()
    assert [room.name for room in rooms() if f"| `{room.name}/` |" not in text] == []


def test_the_map_names_nothing_that_is_gone():
    text = (ROOT / "idp" / "ARCHITECTURE.md").read_text()
    named = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `") and line.split("`")[1].endswith("/")]
    places = [ROOT / "idp", ROOT / "idp" / "oidc"]
    assert [name for name in named if not any((place / name).is_dir() for place in places)] == []
