"""A person with a real browser, for modules whose pages the suite's scripted browser cannot run.

Opens what a module asks for in Chromium, signs in, allows and signs out like anybody would.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
SETTLE_MILLISECONDS = 400


class Person:
    """Somebody with a login name and a password, in front of one browser window."""

    def __init__(self, page: Page, *, login: str, password: str) -> None:
        self._page, self._login, self._password = page, login, password

    def visit(self, url: str) -> None:
        """Open an address and do what each page of the provider asks for, until none asks any more."""
        self._page.goto(url, wait_until="load")
        for _ in range(6):
            if not self._answer():
                return
            self._page.wait_for_load_state("load")
            self._page.wait_for_timeout(SETTLE_MILLISECONDS)

    def _answer(self) -> bool:
        page = self._page
        if page.locator("#id_login").count():
            page.fill("#id_login", self._login)
            page.fill("#id_password", self._password)
            page.click("#login-submit")
        elif page.locator("#consent-allow").count():
            page.click("#consent-allow")
        elif page.locator("#logout-confirm").count():
            page.click("#logout-confirm")
        else:
            return False
        return True


@contextmanager
def person(*, login: str, password: str) -> Iterator[Person]:
    """A person with a fresh browser profile that trusts any certificate.

    Its profile lets framed pages of other sites read their cookies, which session management is about and browsers no longer do by
    themselves.
    """
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        preferences = Path(profile) / "Default" / "Preferences"
        preferences.parent.mkdir()
        preferences.write_text(json.dumps({"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}), encoding="utf-8")
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=list(FLAGS), ignore_https_errors=True
        )
        try:
            yield Person(context.new_page(), login=login, password=password)
        finally:
            context.close()
