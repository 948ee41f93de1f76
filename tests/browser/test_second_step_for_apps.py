"""Password, authenticator app, app; a step-up in a running session; enrolment that an app forces: in a real browser, as a person does it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.app_in_browser import AppInBrowser
from tests.support.authenticator import App
from tests.support.landing import landing

from .conftest import Provider
from .test_second_factor import look, next_code

if TYPE_CHECKING:
    from playwright.sync_api import Page

MFA, ONE = "urn:kairos:acr:mfa", "urn:kairos:acr:1fa"
ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "value": MFA}}})


def registered(provider: Provider, callback: str, name: str, **options: str) -> AppInBrowser:
    """An app of the house: nobody is asked for consent."""
    return AppInBrowser(
        provider.url, provider.served.add_client(name, type="web", redirect_uri=callback, first_party=True, **options), callback
    )


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "without script"])
def test_enrolment_forced_by_an_app_then_sign_in_trust_and_step_up(
    visit: Callable[..., Page], provider: Provider, javascript: bool
) -> None:
    looked = look if javascript else lambda page: page.locator("h1").wait_for()  # axe itself needs script
    address = f"apps-{'script' if javascript else 'plain'}@example.org"
    with landing() as place:
        vault = registered(provider, f"{place.url}/vault", "Vault", min_acr=MFA)
        shop = registered(provider, f"{place.url}/shop", "Shop")

        # The app lets nobody in with a password alone: the second step is set up on the way.
        page = visit(vault.ask(), javascript=javascript)
        provider.sign_in(page, address)
        page.wait_for_selector("#enrol-submit")
        looked(page)
        assert page.locator("#enrol-later").count() == 0
        page.locator("summary").filter(has_text="Cannot scan it?").click()
        app = App(page.inner_text("#manual-key"))
        page.fill("#id_code", app.wrong())
        page.click("#enrol-submit")
        looked(page)
        assert page.title().startswith("Error: ")
        used = app.code()
        page.fill("#id_code", used)
        page.click("#enrol-submit")
        page.wait_for_selector("#codes")
        looked(page)
        codes = page.locator("#codes li").all_inner_texts()
        page.click("#codes-kept")
        claims = vault.arrived(page)["claims"]
        assert (claims["acr"], claims["amr"]) == (MFA, ["pwd", "otp", "mfa"])

        # Another browser: password, code, app; and no code again in this browser.
        other = visit(shop.ask(), javascript=javascript)
        provider.sign_in(other, address)
        other.wait_for_selector("#second-factor-submit")
        looked(other)
        other.fill("#id_code", next_code(app, used))
        other.check("input[name=trust]")
        other.click("#second-factor-submit")
        assert shop.arrived(other)["claims"]["acr"] == MFA
        other.goto(f"{provider.url}/account/security")
        assert other.locator("#trusted-heading").count() == 1
        looked(other)
        other.goto(f"{provider.url}/logout")
        other.click("#logout-confirm")
        other.wait_for_load_state()
        other.goto(shop.ask())
        provider.sign_in(other, address)
        claims = shop.arrived(other)["claims"]
        assert (claims["acr"], claims["amr"]) == (ONE, ["pwd"]), "a trusted browser proves nothing"

        # In the running session the app wants more: only the missing step is asked for.
        other.goto(shop.ask(claims=ESSENTIAL))
        other.wait_for_selector("#second-factor-submit")
        assert other.locator("#id_password").count() == 0
        looked(other)
        other.fill("#id_code", codes[0])
        other.click("#second-factor-submit")
        stepped_up = shop.arrived(other)["claims"]
        assert (stepped_up["acr"], stepped_up["amr"], stepped_up["sid"]) == (MFA, ["pwd", "otp", "mfa"], claims["sid"])


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "without script"])
def test_a_phone_is_set_up_because_an_app_wants_a_second_step(visit: Callable[..., Page], provider: Provider, javascript: bool) -> None:
    looked = look if javascript else lambda page: page.locator("h1").wait_for()  # axe itself needs script
    address, number = f"texts-{javascript}@example.org".lower(), f"+4915123456{'78' if javascript else '79'}9"
    with landing() as place:
        vault = registered(provider, f"{place.url}/vault", "Vault", min_acr=MFA)
        page = visit(vault.ask(), javascript=javascript)
        provider.sign_in(page, address)
        page.click("#enrol-phone")
        looked(page)
        page.fill("#id_number", "no number")
        page.click("#enrol-phone-send")
        looked(page)
        assert page.title().startswith("Error: ")
        page.fill("#id_number", number)
        page.click("#enrol-phone-send")
        page.wait_for_selector("#enrol-phone-submit")
        looked(page)
        page.fill("#id_code", re.search(r"\d{6}", provider.wait_for_mail(number)["text"])[0])
        page.click("#enrol-phone-submit")
        page.wait_for_selector("#codes")
        page.click("#codes-kept")
        claims = vault.arrived(page)["claims"]
        assert (claims["acr"], claims["amr"]) == (MFA, ["pwd", "sms", "mfa"])
