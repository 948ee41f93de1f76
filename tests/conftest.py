"""Fixtures and rules for every test. See tests/README.md; settings are in tests/environment.py."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import programs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

    from idp.accounts.models import User
    from tests.support.upstream import FakeUpstream

REQUIRE_ALL = os.environ.get("KAIROS_REQUIRE_ALL") == "1"
# Begins the reason of a skip that even KAIROS_REQUIRE_ALL=1 accepts: the program cannot be installed on every machine.
OPTIONAL = "optional"
ARCHITECTURE = Path(__file__).parent / "architecture"
ON_POSTGRESQL = bool(os.environ.get("KAIROS_TEST_DATABASE_URL"))


def _belongs_to_sqlite(item: pytest.Item) -> bool:
    """About the source, about what no database is asked for, or about Django's handler behind which the same functions are: once is enough."""
    if item.path.is_relative_to(ARCHITECTURE) or not _may_use_a_database(item):
        return True
    return isinstance(item, pytest.Function) and hasattr(item, "callspec") and item.callspec.params.get("world") == "views"


def _may_use_a_database(item: pytest.Item) -> bool:
    """Those that pytest-django lets into the database, and those that need a foreign program. To any other it answers a query by an error."""
    marked = any(item.get_closest_marker(name) for name in ("django_db", "postgresql", "needs"))
    return marked or not {"db", "transactional_db", "live_server"}.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_report_header() -> list[str]:
    if not ON_POSTGRESQL:
        return []
    return ["on PostgreSQL + Redis: the tests that no database is asked for, and those marked `embedded`, belong to the session on SQLite"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Some tests belong to one of the two sessions: races to PostgreSQL, processes with their own SQLite to the other."""
    elsewhere = "embedded" if ON_POSTGRESQL else "postgresql"
    for item in items:
        if _belongs_to_sqlite(item):
            item.add_marker(pytest.mark.embedded)
    left_out = [item for item in items if item.get_closest_marker(elsewhere)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(elsewhere)]
    # Files with something slow begin first, so that no process is left alone with one at the end; then those with the most tests.
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    chromium = {item.path for item in items if item.get_closest_marker("chromium")}
    items.sort(key=lambda item: (item.path not in slow, item.path not in chromium, -sizes[item.path], str(item.path)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        if sentence := programs.missing(marker.args):
            optional = marker.kwargs.get("optional")
            pytest.skip(f"{OPTIONAL} ({optional}): {sentence}" if optional else sentence)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With KAIROS_REQUIRE_ALL=1 a skipped test is a failed one: a suite must not shrink unnoticed."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail") and f"Skipped: {OPTIONAL}" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, which KAIROS_REQUIRE_ALL=1 forbids: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which KAIROS_REQUIRE_ALL=1 forbids: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's, and a copy of the database while nothing is in it; after a test that commits only what it wrote is deleted."""
    from django.test import TransactionTestCase

    from tests.support import empty

    with django_db_blocker.unblock():
        empty.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty.again)
        yield


@pytest.fixture(scope="session", autouse=True)
def middleware_is_loaded_once() -> Iterator[None]:
    """Django loads it anew for every test client, twenty milliseconds of a core each; here, once for the same settings."""
    from django.conf import settings
    from django.test.client import ClientHandler

    load, loaded = ClientHandler.load_middleware, dict[str, ClientHandler]()

    def load_once(self: ClientHandler, is_async: bool = False) -> None:
        key = repr(
            [(name, getattr(settings, name)) for name in dir(settings) if name.startswith(("MIDDLEWARE", "SECURE_", "SESSION_ENGINE"))]
        )
        if key not in loaded:
            load(self, is_async)
            loaded[key] = self
        vars(self)["_middleware_chain"] = vars(loaded[key])["_middleware_chain"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "load_middleware", load_once)
        yield


@pytest.fixture(autouse=True)
def windows_of_limits_are_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many new windows of limits old ones are deleted: one more statement, which must not depend on the tests before."""
    monkeypatch.setattr("idp.kernel.limits._new_windows", itertools.count(1))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    from tests.support.chromium import driver

    with driver() as found:
        yield found


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for every test of this process, the quicker build of it unless one was chosen. Each test opens a context of its own."""
    from tests.support.chromium import running

    quicker = None if os.environ.get("KAIROS_CHROMIUM") else programs.find("chromium-headless-shell")
    with running(playwright, quicker or programs.find("chromium")) as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a fresh profile: nobody is signed in anywhere."""
    context = chromium.new_context()
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def person(db: None) -> User:
    """Somebody with a verified address who may sign in with the password `correct horse battery staple`."""
    from tests.support.factories import make_person

    return make_person(email="ada@example.org")


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[FakeUpstream]:
    """Another provider on a loopback port; use `corp`."""
    from tests.support.upstream import fake_upstream

    with fake_upstream() as fake:
        yield fake


@pytest.fixture
def corp(upstream_server: FakeUpstream, db: None, settings: Any) -> FakeUpstream:
    """Another provider that people may sign in through, called `corp`; it answers honestly unless told otherwise."""
    from idp.federation import documents, upstreams
    from idp.kernel import generations, outbound
    from tests.support.upstream import reset

    reset(upstream_server)
    settings.IDP = settings.IDP.model_copy(update={"outbound_allow": ("127.0.0.1",)})
    outbound._parse_allow.cache_clear()
    documents.forget()
    generations.forget()
    upstreams.add(
        name="corp", issuer=upstream_server.issuer, client_id=upstream_server.client_id, secret=upstream_server.client_secret, label="Corp"
    )
    return upstream_server
