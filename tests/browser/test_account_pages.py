"""Signing in, signing up, recovering and changing a password in a real browser: with and without script, light and dark, on a small phone."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import PASSWORD, Provider, faults_in_both_modes, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

NEW = "an entirely new pass phrase"
_numbers = itertools.count(1)
Visit = Callable[..., "Page"]


def mail(provider: Provider, to: str, subject: str) -> dict[str, Any]:
    """The newest mail to this address whose subject holds these words; the worker needs a moment."""
    for _ in range(100):
        for found in provider.mails(to):
            if subject in found["subject"]:
                return found
        time.sleep(0.1)
    raise AssertionError(f"no mail with {subject!r}")


def look(page: Page, *, error: bool = False) -> None:
    """What holds for every page and state."""
    assert faults_in_both_modes(page) == ""
    assert page.locator("h1").count() == 1
    assert page.locator(".button:not(.outline, .text, .danger):visible").count() <= 1
    assert page.title().startswith("Error: ") == error
    controls = page.locator("main button:not(.link, .reveal):visible, main .button:visible, main input:visible")
    sizes = controls.evaluate_all("all => all.map((each) => [each.getBoundingClientRect().height, each.outerHTML])")
    assert [(height, code) for height, code in sizes if height < 46] == []
    if error:
        wrong = page.locator("[aria-invalid=true]")
        if wrong.count():
            assert wrong.first.evaluate("element => element === document.activeElement")
            described = wrong.first.get_attribute("aria-describedby") or ""
            assert all(page.locator(f"[id='{name}']").count() == 1 for name in described.split())
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0
    assert before is not None
    page.set_viewport_size(before)


@pytest.mark.parametrize(
    "options",
    [{}, {"javascript": False}],
    ids=["with script", "without script"],
)
def test_a_life_of_an_account(visit: Visit, provider: Provider, options: dict[str, Any]) -> None:
    script = options.get("javascript", True)
    looked = look if script else lambda page, **_: page.locator("h1").wait_for()  # axe itself needs script
    address = f"eve{next(_numbers)}@example.org"

    # Create the account
    page = visit("/login", **options)
    looked(page)
    page.get_by_role("link", name="Create an account").click()
    looked(page)
    page.fill("#id_email", address)
    page.fill("#id_password", "too short")
    page.click("#signup-submit")
    looked(page, error=True)
    assert page.input_value("#id_email") == address
    page.fill("#id_password", PASSWORD)
    page.click("#signup-submit")
    looked(page)
    page.fill("#id_code", "12345")
    page.click("#verify-submit")
    looked(page, error=True)
    code = re.search(r"\d{6}", mail(provider, address, "is your code")["subject"])
    assert code is not None
    page.fill("#id_code", code[0])
    page.click("#verify-submit")
    page.wait_for_url("**/account")

    # Change the password
    page.goto("/.well-known/change-password")
    page.wait_for_url("**/account/password")
    looked(page)
    page.fill("#id_current", "not the right password")
    page.fill("#id_password", NEW)
    page.click("#change-submit")
    looked(page, error=True)
    page.fill("#id_current", PASSWORD)
    page.fill("#id_password", NEW)
    page.click("#change-submit")
    page.wait_for_url("**/account/password?done=1")
    looked(page)
    mail(provider, address, "was changed")

    # Forget it, elsewhere
    page = visit("/login", **options)
    page.fill("#id_login", address)
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")
    looked(page, error=True)
    assert page.input_value("#id_login") == address
    assert page.input_value("#id_password") == ""
    page.get_by_role("link", name="Forgot it?").click()
    looked(page)
    page.fill("#id_email", address)
    page.click("#forgot-submit")
    looked(page)
    [link] = [link for link in mail(provider, address, "Reset")["links"] if "token=" in link]
    page.goto(link)
    assert page.url.endswith("/password/reset")  # the token has left the address bar
    looked(page)
    page.fill("#id_password", PASSWORD)
    page.click("#reset-submit")
    page.wait_for_url("**/login?done=reset")
    looked(page)
    page.goto(link)
    looked(page, error=True)
    page.goto("/login")
    page.fill("#id_login", address)
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_url("**/account")


def test_the_pages_that_say_no(visit: Visit, provider: Provider) -> None:
    page = visit("/login/disabled")
    look(page)
    page.goto("/signup/verify")
    look(page, error=True)
    page.goto("/login")
    page.evaluate("document.cookie = 'kairos_csrf=; max-age=0'; document.querySelector('[name=csrfmiddlewaretoken]').value = 'x'")
    page.fill("#id_login", "ada@example.org")
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_url("**/login?done=stale")
    expect(page.locator("main")).to_contain_text("This page was out of date.")
    look(page)


def test_a_locked_account_says_how_long(visit: Visit, provider: Provider) -> None:
    provider.person("locked@example.org")
    page = visit("/login")
    for _ in range(6):
        page.fill("#id_login", "locked@example.org")
        page.fill("#id_password", "not the right password")
        page.click("#login-submit")
    look(page, error=True)
    assert re.search(r"Try again in 1[45] minutes", page.inner_text("#id_password-error"))


def test_the_cursor_stands_where_the_person_goes_on(visit: Visit) -> None:
    page = visit("/login")
    assert page.evaluate("document.activeElement.id") == "id_login"
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "id_password"
    page.keyboard.type("not the right password")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-invalid=true]")
    assert page.evaluate("document.activeElement.id") == "id_password"


def test_mails_read_in_light_and_dark(visit: Visit, provider: Provider) -> None:
    address = f"reader{next(_numbers)}@example.org"
    page = visit("/password/forgot")
    page.fill("#id_email", address)
    page.click("#forgot-submit")
    html = mail(provider, address, "No account")["html"]
    page.route("**/as-mailed", lambda route: route.fulfill(body=html, content_type="text/html"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto("/as-mailed")
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})  # a mail has no landmarks
        assert found.violations_count == 0, found.generate_report()
        page.set_viewport_size({"width": 320, "height": 600})
        assert overflow(page) == 0
