"""The account console in a real browser: stories with each page and state accessible, on a small screen, and without script.

The pages as somebody finds them who has done nothing yet: test_every_page.py.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support import screenshots

from .conftest import Provider, faults, faults_in_both_modes, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
_numbers = itertools.count(1)


@dataclass
class Eyes:
    """Looks at each page: axe in both modes, a 1280 pixel window at 400 % zoom (WCAG 1.4.10), one heading; keeps a picture."""

    page: Page
    story: str
    script: bool = True
    seen: int = 0

    def look(self, name: str, *, error: bool = False) -> None:
        self.page.wait_for_load_state()
        assert self.page.locator("h1").count() == 1, name
        assert self.page.title().startswith("Error: ") == error, name
        assert self.page.locator(".button:not(.outline, .text, .danger):visible").count() <= 1, name
        self.seen += 1
        screenshots.keep(self.page, f"{self.story}-{self.seen:02}-{name}")
        if not self.script:  # axe itself needs script
            return
        assert faults_in_both_modes(self.page) == "", name
        self.page.set_viewport_size({"width": 320, "height": 256})
        assert overflow(self.page) == 0, name
        screenshots.keep(self.page, f"{self.story}-{self.seen:02}-{name}-narrow")
        self.page.set_viewport_size({"width": 960, "height": 800})


@pytest.fixture
def somebody(visit: Visit, provider: Provider) -> Callable[..., Page]:
    """A person of their own in a browser of their own, signed in."""

    def sign_in(email: str, address: str = "/account", **options: Any) -> Page:
        page = visit(f"/login?next={address}", **options)
        provider.sign_in(page, email)
        page.wait_for_url(f"**{address}")
        return page

    return sign_in


def mail(provider: Provider, to: str, subject: str) -> dict[str, Any]:
    for _ in range(200):
        for found in provider.mails(to):
            if subject in found["subject"]:
                return found
        time.sleep(0.1)
    raise AssertionError(f"no mail with {subject!r}")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_life_in_the_account_console(somebody: Callable[..., Page], visit: Visit, provider: Provider, script: bool) -> None:
    number = next(_numbers)
    email, new = f"lena{number}@example.org", f"lena.new{number}@example.org"
    page = somebody(email, javascript=script)
    eyes = Eyes(page, "console" if script else "console-noscript", script)

    # Profile: a mistake beside its field, then saved
    page.get_by_role("link", name="Profile", exact=True).click()
    eyes.look("profile")
    page.get_by_label("Full name").fill("Lena Weiß")
    page.get_by_label("Date of birth").fill("yesterday")
    page.click("#profile-submit")
    eyes.look("profile-wrong", error=True)
    expect(page.locator("[id='id_birthdate-error']")).to_contain_text("1990-12-31")
    assert page.evaluate("document.activeElement.id") == "id_birthdate" if script else True
    page.get_by_label("Date of birth").fill("1990-01-02")
    page.get_by_label("Allergies").fill("nuts\nmilk")
    page.get_by_label("Town").fill("Graz")
    page.click("#profile-submit")
    expect(page.locator("[role=status]")).to_have_text("Your profile is saved.")
    eyes.look("profile-saved")
    page.goto("/account")
    for words in ("Lena Weiß", "nuts, milk", "Graz"):
        expect(page.locator("main")).to_contain_text(words)
    eyes.look("overview")

    # Another address: the code from the mail, the notice to the former one, and back again
    page.goto("/account/profile")
    page.click("#change-email")
    eyes.look("address")
    page.fill("#id_address", "no address")
    page.click("#address-send")
    eyes.look("address-wrong", error=True)
    page.fill("#id_address", new)
    page.click("#address-send")
    eyes.look("address-code")
    page.fill("#id_code", "000000")
    page.click("#address-confirm")
    code = re.search(r"\d{6}", mail(provider, new, "is your code")["subject"])
    assert code is not None
    if code[0] != "000000":
        eyes.look("address-code-wrong", error=True)
        page.fill("#id_code", code[0])
        page.click("#address-confirm")
    expect(page.locator("[role=status]")).to_contain_text("is verified")
    eyes.look("address-done")

    # Apps, sessions, activity
    page.goto("/playground/")
    page.click("#playground-sign-in")
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    page.goto("/account/apps")
    eyes.look("apps")
    page.get_by_role("link", name="Playground").click()
    eyes.look("receipt")
    with page.expect_download() as kept:
        page.click("#receipt-download")
    assert kept.value.suggested_filename == "receipt.json"
    page.goto("/account/sessions")
    eyes.look("sessions")
    page.goto("/account/activity")
    expect(page.locator("main")).to_contain_text("Your email address was changed")
    eyes.look("activity")

    # The file with one's data, prepared by the worker
    page.goto("/account/data")
    eyes.look("data")
    page.click("#export-submit")
    for _ in range(100):
        page.goto("/account/data")
        if page.locator("#export-ready").count():
            break
        time.sleep(0.2)
    eyes.look("data-ready")
    with page.expect_download() as file:
        page.click("#download-html")
    assert file.value.suggested_filename == "my-data.html"
    reader = visit("/login")
    reader.goto("about:blank")
    reader.set_content(Path(file.value.path()).read_text("utf-8"))
    expect(reader.locator("body")).to_contain_text("Lena Weiß")
    assert faults(reader) == ""
    screenshots.keep(reader, f"{eyes.story}-data-file")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_leaving_and_coming_back(somebody: Callable[..., Page], visit: Visit, provider: Provider, script: bool) -> None:
    number = next(_numbers)
    email = f"leo{number}@example.org"
    page = somebody(email, "/account/delete", javascript=script)
    eyes = Eyes(page, f"leaving-{number}", script)
    page.click("#delete-submit")
    eyes.look("delete-not-sure", error=True)
    page.check("#id_sure")
    page.click("#delete-submit")
    page.wait_for_selector("#leaving-asked")
    eyes.look("asked")
    page.goto("/account")
    assert "/login" in page.url
    [link] = [link for link in mail(provider, email, "being deleted")["links"] if "token=" in link]
    other = visit(link, javascript=script)
    assert "token" not in other.url
    keeping = Eyes(other, f"staying-{number}", script)
    keeping.look("keep")
    other.click("#keep-submit")
    other.wait_for_selector("#leaving-kept")
    keeping.look("kept")
    other.goto("/login")
    provider.sign_in(other, email)
    other.wait_for_url("**/account")


def test_an_address_that_somebody_else_changed_comes_back(somebody: Callable[..., Page], visit: Visit, provider: Provider) -> None:
    number = next(_numbers)
    email, new = f"vic{number}@example.org", f"intruder{number}@example.org"
    page = somebody(email, "/account/address/email")
    page.fill("#id_address", new)
    page.click("#address-send")
    code = re.search(r"\d{6}", mail(provider, new, "is your code")["subject"])
    assert code is not None
    page.fill("#id_code", code[0])
    page.click("#address-confirm")
    expect(page.locator("[role=status]")).to_contain_text("is verified")
    [link] = [link for link in mail(provider, email, "was changed")["links"] if "undo" in link]
    owner = visit(link)
    eyes = Eyes(owner, f"undo-{number}")
    eyes.look("ask")
    owner.click("#undo-submit")
    owner.wait_for_selector("#undone")
    eyes.look("done")
    page.goto("/account")
    assert "/login" in page.url
    [link] = [link for link in mail(provider, email, "Reset")["links"] if "token=" in link]
    owner.goto(link)
    eyes.look("new-password")
    owner.fill("#id_password", "an entirely new pass phrase")
    owner.click("#reset-submit")
    owner.wait_for_url("**/login?done=reset")


def test_this_was_not_me(somebody: Callable[..., Page], provider: Provider) -> None:
    page = somebody("mia@example.org", "/account/activity")
    eyes = Eyes(page, "not-me")
    page.get_by_role("link", name="This wasn’t me").first.click()
    eyes.look("ask")
    page.click("#not-me-submit")
    eyes.look("done")
    page.goto("/account")
    assert "/login" in page.url
    mail(provider, "mia@example.org", "Reset")


def test_an_apps_colour_is_readable_in_both_modes(visit: Visit, provider: Provider) -> None:
    for colour in ("0a7f3f", "b3261e", "767600", "000000"):
        client = (
            provider.served.add_client(
                f"App {colour}",
                type="web",
                redirect_uri="https://app.example/cb",
                first_party=True,
                brand_colour=f"#{colour}",
                brand_radius="0",
            )
            if colour != "767600"
            else None
        )
        if client is None:
            with pytest.raises(RuntimeError, match="too light"):
                provider.served.add_client("Pale", type="web", redirect_uri="https://app.example/cb", brand_colour="#a0a000")
            continue
        query = f"client_id={client['client_id']}&redirect_uri=https://app.example/cb&response_type=code&scope=openid"
        page = visit(f"/authorize?{query}&code_challenge={'a' * 43}&code_challenge_method=S256")
        assert page.locator(f"link[href='/brand/{colour}-0.css']").count() == 1
        eyes = Eyes(page, f"brand-{colour}")
        eyes.look("sign-in")
        red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
        assert page.evaluate("getComputedStyle(document.querySelector('#login-submit')).backgroundColor") == f"rgb({red}, {green}, {blue})"
