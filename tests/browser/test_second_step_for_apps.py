"""Password, authenticator app, app; a step-up in a running session; enrolment that an app forces: in a real browser, as a person does it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.support.authenticator import App
from tests.support.landing import landing

from .conftest import Provider
from .test_second_factor import look, next_code

if TYPE_CHECKING:
    from playwright.sync_api import Page

MFA, ONE = "urn:kairos:acr:mfa", "urn:kairos:acr:1fa"
ESSENTIAL = json.dumps({"id_token": {"acr": {"essential": True, "value": MFA}}})


class RelyingParty:
    """An app that lives on `callback`; its ID tokens come over its own connection, so they are read as they are (OIDC Core 3.1.3.7)."""

    def __init__(self, provider: Provider, callback: str, name: str, **options: str) -> None:
        self.url, self.callback = provider.url, callback
        self.client = provider.served.add_client(name, type="web", redirect_uri=callback, first_party=True, **options)

    def ask(self, **more: str) -> str:
        """Where the browser is sent."""
        self.state, self.verifier = secrets.token_urlsafe(12), secrets.token_urlsafe(40)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": self.client["client_id"], "redirect_uri": self.callback, "response_type": "code", "scope": "openid",
            "state": self.state, "code_challenge": challenge, "code_challenge_method": "S256", **more,
        }  # fmt: skip
        return f"{self.url}/authorize?{urlencode(query)}"

    def arrived(self, page: Page) -> dict[str, Any]:
        """The claims of the ID token, once the browser is back."""
        page.wait_for_url(f"{self.callback}?**")
        members = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert members["state"] == self.state
        answer = httpx.post(
            f"{self.url}/token",
            data={
                "grant_type": "authorization_code",
                "code": members["code"],
                "redirect_uri": self.callback,
                "code_verifier": self.verifier,
            },
            auth=(self.client["client_id"], self.client["client_secret"]),
            trust_env=False,
        ).json()
        body = answer["id_token"].split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "without script"])
def test_enrolment_forced_by_an_app_then_sign_in_trust_and_step_up(
    visit: Callable[..., Page], provider: Provider, javascript: bool
) -> None:
    looked = look if javascript else lambda page: page.locator("h1").wait_for()  # axe itself needs script
    address = f"apps-{'script' if javascript else 'plain'}@example.org"
    with landing() as place:
        vault = RelyingParty(provider, f"{place.url}/vault", "Vault", min_acr=MFA)
        shop = RelyingParty(provider, f"{place.url}/shop", "Shop")

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
        claims = vault.arrived(page)
        assert (claims["acr"], claims["amr"]) == (MFA, ["pwd", "otp", "mfa"])

        # Another browser: password, code, app; and no code again in this browser.
        other = visit(shop.ask(), javascript=javascript)
        provider.sign_in(other, address)
        other.wait_for_selector("#second-factor-submit")
        looked(other)
        other.fill("#id_code", next_code(app, used))
        other.check("input[name=trust]")
        other.click("#second-factor-submit")
        assert shop.arrived(other)["acr"] == MFA
        other.goto(f"{provider.url}/account/security")
        assert other.locator("#trusted-heading").count() == 1
        looked(other)
        other.goto(f"{provider.url}/logout")
        other.click("#logout-confirm")
        other.wait_for_load_state()
        other.goto(shop.ask())
        provider.sign_in(other, address)
        claims = shop.arrived(other)
        assert (claims["acr"], claims["amr"]) == (ONE, ["pwd"]), "a trusted browser proves nothing"

        # In the running session the app wants more: only the missing step is asked for.
        other.goto(shop.ask(claims=ESSENTIAL))
        other.wait_for_selector("#second-factor-submit")
        assert other.locator("#id_password").count() == 0
        looked(other)
        other.fill("#id_code", codes[0])
        other.click("#second-factor-submit")
        stepped_up = shop.arrived(other)
        assert (stepped_up["acr"], stepped_up["amr"], stepped_up["sid"]) == (MFA, ["pwd", "otp", "mfa"], claims["sid"])
