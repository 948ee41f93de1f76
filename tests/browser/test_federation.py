"""Kairos ID signing in through another Kairos ID, in a real browser: new, out here and there, and back; with script and without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support import empty
from tests.support import provider as provider_process
from tests.support.servers import ROOT, child, child_environ, free_port

from .conftest import PASSWORD, STARTS_WITHIN, Complaints, faults, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@contextmanager
def elsewhere(data_dir: Path) -> Iterator[provider_process.Provider]:
    """Another Kairos ID under another host name: cookies do not know ports."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    environ = child_environ(
        IDP_ENV="development", IDP_DATA_DIR=str(data_dir), IDP_ISSUER=issuer, PORT=str(port), IDP_BRAND_NAME="Work ID",
        IDP_ARGON2_MEMORY_KIB="7168", IDP_ARGON2_ITERATIONS="1",
    )  # fmt: skip
    empty.lay(data_dir)
    with child("upstream", [sys.executable, "manage.py", "run_development"], environ=environ, cwd=ROOT) as server:
        server.port, server.url = port, issuer
        server.wait_until(lambda: _answers(issuer), seconds=STARTS_WITHIN)
        yield provider_process.Provider(issuer, environ, data_dir, ROOT, sys.executable, server)


def _answers(issuer: str) -> bool:
    try:
        return httpx.get(f"{issuer}/livez", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class Two:
    """The provider of the tests, and the one that it sends people to."""

    here: provider_process.Provider
    there: provider_process.Provider


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Two]:
    settings = {"IDP_OUTBOUND_ALLOW": "127.0.0.1", "IDP_ARGON2_MEMORY_KIB": "7168", "IDP_ARGON2_ITERATIONS": "1"}
    with (
        elsewhere(tmp_path_factory.mktemp("there")) as there,
        provider_process.embedded(tmp_path_factory.mktemp("here"), seconds=STARTS_WITHIN, settings=settings) as here,
    ):
        client = there.add_client(
            "Here",
            type="web",
            redirect_uri=f"{here.issuer}/federation/work/callback",
            post_logout_redirect_uri=f"{here.issuer}/logout/upstream",
            first_party=True,
        )
        here.manage(
            "upstream", "add", "work", "--issuer", there.issuer, "--client-id", client["client_id"], "--label", "Work", "--logout",
            given=client["client_secret"] + "\n",
        )  # fmt: skip
        tested = here.manage("upstream", "test", "work")
        assert tested["works"] is True, tested
        yield Two(here, there)


@pytest.fixture
def visit(chromium: Browser, two: Two) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(path: str, **options: Any) -> Page:
        context = chromium.new_context(base_url=two.here.issuer, **options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def look(page: Page) -> None:
    assert faults(page) == ""
    assert page.locator("h1").count() == 1
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0
    page.set_viewport_size({"width": 960, "height": 800})


def prove_there(page: Page, two: Two, email: str) -> None:
    """The other provider's own pages."""
    page.wait_for_url(f"{two.there.issuer}/login**")
    expect(page.locator("#id_login")).to_be_visible()
    page.fill("#id_login", email)
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["script", "without script"])
def test_new_returning_and_out_again(visit: Callable[..., Page], two: Two, options: dict[str, Any]) -> None:
    email = f"new-{len(options)}@example.org"
    two.there.add_person(email=email, password=PASSWORD, claims={"name": "Nora New", "locale": "en-GB"})
    page = visit("/login", **options)
    complaints = Complaints()
    complaints.watch(page)
    if not options:
        look(page)
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/account")
    expect(page.locator("body")).to_contain_text("Nora New")
    shown = two.here.manage("user", "show", email)
    assert shown["email_verified"] is True
    # Out, here and there.
    page.goto("/logout")
    page.click("#logout-confirm")
    if options:
        page.click("#logout-continue")
    page.wait_for_url(f"{two.here.issuer}/logout/done")
    # Returning: the other provider asks again, because it was signed out as well.
    page.goto("/login")
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/account")
    assert two.here.manage("user", "show", email)["sub"] == shown["sub"]
    assert complaints == []
