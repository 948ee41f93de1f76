"""Fixtures and rules for every test. See tests/README.md; settings are in tests/environment.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import programs

if TYPE_CHECKING:
    from idp.accounts.models import User

REQUIRE_ALL = os.environ.get("KAIROS_REQUIRE_ALL") == "1"
ON_POSTGRESQL = bool(os.environ.get("KAIROS_TEST_DATABASE_URL"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Races need a server that really runs statements in parallel: on SQLite they are not part of the run."""
    if not ON_POSTGRESQL:
        left_out = [item for item in items if item.get_closest_marker("postgresql")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("postgresql")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        if sentence := programs.missing(marker.args):
            pytest.skip(sentence)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """With KAIROS_REQUIRE_ALL=1 a skipped test is a failed one: a suite must not shrink unnoticed."""
    report: pytest.TestReport = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which KAIROS_REQUIRE_ALL=1 forbids: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    report: pytest.CollectReport = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which KAIROS_REQUIRE_ALL=1 forbids: {report.longrepr}"
    return report


@pytest.fixture
def person(db: None) -> User:
    """Somebody with a verified address who may sign in with the password `correct horse battery staple`."""
    from tests.support.factories import make_person

    return make_person(email="ada@example.org")
