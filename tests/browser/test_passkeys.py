"""Passkeys in a real Chromium with its virtual authenticator (WebAuthn domain of the DevTools protocol)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from .conftest import Complaints, Provider, faults
from .test_second_factor import look

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page, Route

Visit = Callable[..., "Page"]
OPTIONS = "**/login/passkey/options"


@dataclass
class Authenticator:
    """The authenticator of one page's browser."""

    devtools: CDPSession
    name: str

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.name})["credentials"]
        return found

    def has(self, count: int) -> bool:
        """Whether it comes to hold so many: signals reach it a moment later."""
        for _ in range(100):
            if len(self.credentials()) == count:
                return True
            time.sleep(0.05)
        return False

    def verifies(self, verified: bool) -> None:
        self.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": self.name, "isUserVerified": verified})

    def answers(self, enabled: bool) -> None:
        self.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.name, "enabled": enabled})


def plug_in(page: Page, **options: Any) -> Authenticator:
    """A platform authenticator with synced passkeys, whose owner touches and verifies at once, unless told otherwise."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable", {"enableUI": False})
    settings = {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True, "defaultBackupEligibility": True, "defaultBackupState": True,
        **options,
    }  # fmt: skip
    return Authenticator(devtools, devtools.send("WebAuthn.addVirtualAuthenticator", {"options": settings})["authenticatorId"])


def add_passkey(page: Page, provider: Provider, held: Authenticator, email: str) -> None:
    """Sign in with the password and create a passkey; afterwards nothing is answered by itself."""
    held.answers(False)
    page.goto("/login?next=/account/security/passkey")
    provider.sign_in(page, email)
    arrive(page, "/account/security/passkey")
    held.answers(True)
    page.click("#passkey-create")
    page.wait_for_selector("#codes")
    held.answers(False)


def hold_back(page: Page) -> list[Route]:
    """What the page asks for a passkey from here on; the test says when each is answered (the authenticator must be set before)."""
    asked: list[Route] = []
    page.route(OPTIONS, lambda route: asked.append(route))  # noqa: PLW0108 — it marks what it is given
    return asked


def came(page: Page, asked: list[Route], count: int) -> None:
    for _ in range(200):
        if len(asked) == count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(asked)} of {count} requests for a passkey")


def arrive(page: Page, path: str) -> None:
    """Wait until the browser is there (without its beginning the pattern would find the path in `next=` too)."""
    expect(page).to_have_url(re.compile(rf"^https?://[^/?#]+{re.escape(path)}(?:[?#]|$)"))


def sign_out(page: Page) -> None:
    page.goto("/logout")
    page.click("#logout-confirm")
    page.wait_for_load_state()


def test_add_sign_in_by_button_and_remove(visit: Visit, provider: Provider) -> None:
    complaints = Complaints()
    page = visit("/login?next=/account/security")
    complaints.watch(page)
    held = plug_in(page)
    held.answers(False)  # else the field on the sign-in page is filled before anybody could type
    provider.sign_in(page, "passkey@example.org")
    page.click("#add-passkey")
    look(page)
    held.answers(True)
    page.click("#passkey-create")
    page.wait_for_selector("#codes")
    look(page)
    page.click("#codes-kept")
    look(page)
    assert len(held.credentials()) == 1
    page.click("#add-passkey")
    page.click("#passkey-create")
    page.get_by_text("has a passkey for your account already").wait_for()  # excludeCredentials

    held.answers(False)
    sign_out(page)
    with page.expect_response(OPTIONS):
        page.goto("/login?next=/account/security")
    look(page)
    asked = hold_back(page)
    page.locator("#passkey-submit").focus()
    page.keyboard.press("Enter")
    came(page, asked, 1)
    held.answers(True)
    asked[0].continue_()
    arrive(page, "/account/security")
    page.get_by_role("link", name="Rename or remove").click()
    look(page)
    page.fill("#id_name", "Laptop")
    page.click("#rename-submit")
    page.locator("bdi", has_text="Laptop").wait_for()
    page.get_by_role("link", name="Rename or remove").click()
    page.click("#remove-submit")
    arrive(page, "/account/security")
    assert held.has(0), "signalAllAcceptedCredentials"
    assert complaints == []


def test_the_button_is_quicker_than_the_field(visit: Visit, provider: Provider) -> None:
    """The browser refuses the second of two requests at once: what the field asked for must not stand in the button's way."""
    page = visit("/login")
    held = plug_in(page)
    add_passkey(page, provider, held, "quick@example.org")
    sign_out(page)
    asked = hold_back(page)
    page.goto("/login?next=/account/apps")
    came(page, asked, 1)
    page.click("#passkey-submit")
    came(page, asked, 2)
    with page.expect_response(OPTIONS):
        asked[0].continue_()
    page.wait_for_timeout(200)
    held.answers(True)
    asked[1].continue_()
    arrive(page, "/account/apps")


def test_the_browser_offers_it_in_the_field(visit: Visit, provider: Provider) -> None:
    page = visit("/login")
    held = plug_in(page)
    add_passkey(page, provider, held, "autofill@example.org")
    sign_out(page)
    asked = hold_back(page)
    page.goto("/login?next=/account/apps")
    assert page.locator("#id_login").get_attribute("autocomplete") == "username webauthn"
    came(page, asked, 1)
    held.answers(True)  # the person chooses the entry under the field
    asked[0].continue_()
    arrive(page, "/account/apps")


def test_after_the_password(visit: Visit, provider: Provider) -> None:
    page = visit("/login")
    held = plug_in(page)
    add_passkey(page, provider, held, "second-step@example.org")
    sign_out(page)
    page.goto("/login?next=/account/apps")
    provider.sign_in(page, "second-step@example.org")
    page.wait_for_url("**/login/second-factor?**")
    look(page)
    held.answers(True)
    page.click("#passkey-submit")
    arrive(page, "/account/apps")


def test_one_that_the_provider_does_not_know_any_more(visit: Visit, provider: Provider) -> None:
    page = visit("/login")
    held = plug_in(page)
    add_passkey(page, provider, held, "unknown@example.org")
    provider.served.manage("second_step", "reset", "unknown@example.org", "--reason", "lost phone")
    page.goto("/login?switch=1")
    held.answers(True)
    page.click("#passkey-submit")
    page.get_by_role("alert").wait_for()
    assert "not known here any more" in page.inner_text("[role=alert]")
    assert faults(page) == ""
    assert held.has(0), "signalUnknownCredential"


def test_nothing_comes(visit: Visit, provider: Provider) -> None:
    """The person cancels: the page says so, and the password works as before."""
    page = visit("/login")
    held = plug_in(page, isUserVerified=False)
    page.click("#passkey-submit")
    page.get_by_text("Nothing came from your passkey").wait_for()
    assert held.credentials() == []
    look(page)
    provider.sign_in(page, "cancelled@example.org")
    arrive(page, "/account")


def test_offered_after_a_password_and_put_off(visit: Visit, provider: Provider) -> None:
    page = visit("/login")
    held = plug_in(page)
    held.answers(False)
    page.goto("/login?next=/account/apps")
    page.wait_for_selector("input[data-passkey-capable][value='1']", state="attached")
    provider.sign_in(page, "offered@example.org")
    page.wait_for_url("**/login/passkey-offer?**")
    look(page)
    page.click("#passkey-later")
    arrive(page, "/account/apps")
    sign_out(page)
    page.goto("/login?next=/account/apps")
    page.wait_for_selector("input[data-passkey-capable][value='1']", state="attached")
    provider.sign_in(page, "offered@example.org")
    arrive(page, "/account/apps")


def test_an_account_without_a_password(visit: Visit, provider: Provider) -> None:
    page = visit("/signup")
    plug_in(page)
    look(page)
    page.fill("#id_email", "no-password@example.org")
    page.click("#signup-passkey")
    arrive(page, "/signup/verify")
    text = provider.wait_for_mail("no-password@example.org")["text"]
    page.fill("#id_code", re.search(r"\b(\d{6})\b", text)[1])
    page.click("#verify-submit")
    arrive(page, "/signup/passkey")
    look(page)
    page.click("#passkey-create")
    page.wait_for_selector("#codes")
    look(page)
    page.click("#codes-kept")
    arrive(page, "/account")
    sign_out(page)
    page.goto("/login?next=/account/security")  # the browser offers it, and the person takes it
    arrive(page, "/account/security")
    page.get_by_role("link", name="Rename or remove").click()
    look(page)
    assert page.get_by_text("only way in").is_visible()


def test_another_origin_gets_nothing(visit: Visit, provider: Provider) -> None:
    """Hostile case WK-01: the same page at another host name; the browser itself asks for no passkey of ours there."""
    page = visit("/login")
    held = plug_in(page)
    add_passkey(page, provider, held, "origin@example.org")
    state = page.request.post("/login/passkey/options", form={}).status
    assert state == 403, "no token against forgery, no challenge"
    elsewhere = provider.url.replace("localhost", "127.0.0.1")
    page.goto(f"{elsewhere}/login")
    held.answers(True)
    page.click("#passkey-submit")
    page.get_by_text("That did not work").wait_for()
    assert page.url.startswith(elsewhere)


@pytest.mark.parametrize("path", ["/login", "/account/security/passkey"])
def test_without_script_there_is_another_way(visit: Visit, provider: Provider, path: str) -> None:
    page = visit(f"/login?next={path}", javascript=False)
    if path != "/login":
        provider.sign_in(page, "plain@example.org")
        arrive(page, path)
        assert page.get_by_text("or not without JavaScript").is_visible()
    assert not page.locator("[data-passkey] button").first.is_visible()
