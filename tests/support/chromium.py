"""A real browser: Debian's Chromium, driven by Playwright, and the steps that a person takes on the provider's pages.

Chromium comes in two builds: the whole browser, and one without windows of its own (`chromium-headless-shell`), which shows pages
alike for a quarter of the processor time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from idp.kernel import db

from .provider import PASSWORD

# Without sandbox, because tests run as root in containers; without the background traffic of a person's browser; loopback only.
# A new page of a context goes on in the process of the former, where scripts are compiled already.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--renderer-process-limit=1",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@contextmanager
def driver() -> Iterator[Playwright]:
    """Playwright itself, which there is once per thread: the fixture `playwright` of tests/conftest.py."""
    with sync_playwright() as playwright:
        db.forget()  # a loop runs in this thread from now on, beside which Django opens another connection than before
        yield playwright
    db.forget()


@contextmanager
def running(playwright: Playwright, program: Path | None) -> Iterator[Browser]:
    """A headless browser."""
    browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
    try:
        yield browser
    finally:
        browser.close()


def sign_in(page: Page, *, email: str, password: str = PASSWORD) -> None:
    """Fill the sign-in page that the browser is on, in one step or two."""
    page.locator("#id_login").fill(email)
    if not page.locator("#id_password").is_visible():
        page.locator("#login-submit").click()
    page.locator("#id_password").fill(password)
    page.locator("#login-submit").click()


def allow_until(page: Page, address: str) -> None:
    """Answer the consent page with Allow if it is shown, and wait until the browser is at `address` (its beginning)."""
    arrived = re.compile(re.escape(address))
    page.wait_for_url(re.compile(f"{arrived.pattern}|/consent"))
    if not arrived.match(page.url):
        page.locator("#consent-allow").click()
        page.wait_for_url(arrived)


def sign_out(page: Page) -> None:
    """Confirm on the provider's sign-out page if it asks (it does not after a valid id_token_hint)."""
    page.wait_for_load_state()
    confirm = page.locator("#logout-confirm")
    if confirm.count():
        confirm.click()
        page.wait_for_load_state()
