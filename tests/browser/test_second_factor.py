"""Adding an authenticator app and signing in with it, in a real browser: with and without script, light and dark, on a small phone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.authenticator import App

from .conftest import Provider, faults, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]


def look(page: Page) -> None:
    """What holds for every page and state."""
    assert faults(page) == ""
    assert page.locator("h1").count() == 1
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0
    assert before is not None
    page.set_viewport_size(before)


def next_code(app: App, used: str) -> str:
    """A code that was not used yet: the next one is accepted half a minute early."""
    code = app.code()
    return code if code != used else app.code(30)


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["script", "without script"])
def test_add_sign_in_recover_and_remove(visit: Visit, provider: Provider, options: dict[str, Any]) -> None:
    script = options.get("javascript", True)
    looked = look if script else lambda page: page.locator("h1").wait_for()  # axe itself needs script
    address = f"two-steps-{'script' if script else 'plain'}@example.org"

    page = visit("/login?next=/account/security", **options)
    provider.sign_in(page, address)
    looked(page)
    page.click("#add-authenticator")
    looked(page)
    page.locator("summary").filter(has_text="Cannot scan it?").click()
    app = App(page.inner_text("#manual-key"))
    assert page.locator("svg.qr").bounding_box()["width"] > 180
    page.fill("#id_code", app.wrong())
    page.click("#authenticator-submit")
    looked(page)
    assert page.title().startswith("Error: ")
    used = app.code()
    page.fill("#id_code", used)
    page.click("#authenticator-submit")
    page.wait_for_selector("#codes")
    looked(page)
    codes = page.locator("#codes li").all_inner_texts()
    assert len(codes) == 10
    page.click("#codes-kept")
    looked(page)
    assert page.inner_text("#codes-left") == "10 codes left"

    other = visit("/login", color_scheme="dark", **options)
    provider.sign_in(other, address)
    looked(other)
    other.fill("#id_code", "123")
    other.click("#second-factor-submit")
    looked(other)
    assert other.title().startswith("Error: ")
    other.fill("#id_code", next_code(app, used))
    other.click("#second-factor-submit")
    other.wait_for_url("**/account")

    third = visit("/login", **options)
    provider.sign_in(third, address)
    third.fill("#id_code", codes[0].lower())
    third.click("#second-factor-submit")
    third.wait_for_url("**/account")
    third.goto("/account/security")
    assert third.inner_text("#codes-left") == "9 codes left"
    third.get_by_role("link", name="Rename or remove").click()
    looked(third)
    third.click("#remove-submit")
    third.wait_for_url("**/account/security")
    looked(third)
    for _ in range(100):
        if any("does not work any more" in mail["text"] for mail in provider.mails(address)):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("no mail about the removal")
