"""What is written down about the code is true: generated pages, dependencies, changelog."""

import re
import tomllib
from pathlib import Path

import pytest

from idp.operations.documents import DOCUMENTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_generated_page_is_up_to_date(name: str):
    assert (ROOT / "docs" / name).read_text() == DOCUMENTS[name](), "run `make docs`"


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[\[<>=!~;]", line)[0].strip().lower() for line in project["dependencies"]}


def test_every_run_time_dependency_has_its_reason():
    text = (ROOT / "docs" / "decisions" / "0001-run-time-dependencies.md").read_text()
    reasons = {match.lower() for match in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)}
    assert reasons == declared()


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_the_lock_pins_everything_that_is_declared(lock: str):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    assert declared() - pinned == set()
    assert "://" not in text, "a lock file names no address"


def test_every_decision_is_in_the_list():
    folder = ROOT / "docs" / "decisions"
    text = (folder / "README.md").read_text()
    assert [path.name for path in sorted(folder.glob("0*.md")) if f"({path.name})" not in text] == []


def test_links_inside_the_documents_lead_somewhere():
    pages = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "idp/ARCHITECTURE.md", "tests/README.md")]
    pages += sorted((ROOT / "docs").rglob("*.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text() if page.exists() else "")
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_is_in_the_table_of_contents():
    text = (ROOT / "docs" / "README.md").read_text()
    assert [path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "README.md" and f"({path.name})" not in text] == []
