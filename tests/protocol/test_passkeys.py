"""An app's request goes on after a passkey, and the tokens say what was proved (OpenID Connect Core 2, 3.1.2.1; RFC 8176; RFC 9470)."""

from __future__ import annotations

import json

import pytest

from idp.sessions.assurance import PHISHING_RESISTANT
from tests.support.browser import Answer, Browser
from tests.support.clauses import clause
from tests.support.factories import PASSWORD
from tests.support.security_key import UP, SecurityKey, add_key

from .test_step_up import claims, essential

pytestmark = pytest.mark.django_db


def use(browser: Browser, page: Answer, held: SecurityKey) -> Answer:
    """What the script does with the passkey form of a page: the options, the authenticator, the form."""
    form = page.form(having="passkey-submit")
    fields = {name: value for name, value in form.fields.items() if name not in ("state", "answer")}
    asked = browser.post(f"{form.action}/options", fields).json()
    sent = {**fields, "state": asked["state"], "answer": json.dumps(held.get(asked["options"]))}
    answer = browser.follow(browser.post(form.action, sent, Origin=browser.origin))
    if answer.status == 200 and "consent-allow" in answer.text:
        answer = browser.follow(browser.submit(answer, button="consent-allow"))
    return answer


@clause("MF-14")
def test_signing_in_for_an_app(world, shop, ada, browser):
    held, _key = add_key(ada)
    page = browser.follow(shop.ask(browser))
    token, tokens = claims(shop, use(browser, page, held))
    assert (token["sub"], token["acr"], token["amr"]) == (str(ada.pk), PHISHING_RESISTANT, ["pop", "user", "swk", "mfa"])
    shown = shop.call("/introspect", {"token": tokens["access_token"]}).json()
    assert (shown["acr"], shown["amr"]) == (PHISHING_RESISTANT, ["pop", "user", "swk", "mfa"])


def test_as_the_second_step_for_an_app(world, shop, ada, browser):
    held, _key = add_key(ada, kind="security_key", flags=UP)
    page = browser.follow(shop.ask(browser))
    page = browser.follow(browser.submit(page, button="login-submit", login=ada.email, password=PASSWORD))
    token, _tokens = claims(shop, use(browser, page, held))
    assert (token["acr"], token["amr"]) == (PHISHING_RESISTANT, ["pwd", "pop", "user", "mfa"])


@clause("RFC 9470 4")
@pytest.mark.parametrize(
    "request_", [{"acr_values": PHISHING_RESISTANT}, {"claims": essential(PHISHING_RESISTANT)}], ids=["voluntary", "essential"]
)
def test_a_running_session_is_asked_for_the_passkey(world, shop, ada, signed_in, request_):
    held, _key = add_key(ada)
    page = signed_in.follow(shop.ask(signed_in, **request_))
    assert "second-factor-submit" not in page.text, "a code would not be enough"
    token, _tokens = claims(shop, use(signed_in, page, held))
    assert (token["acr"], token["amr"]) == (PHISHING_RESISTANT, ["pwd", "pop", "user", "swk", "mfa"])


def test_prompt_login_is_satisfied_by_a_passkey(world, shop, ada, signed_in):
    held, _key = add_key(ada)
    page = signed_in.follow(shop.ask(signed_in, prompt="login"))
    token, _tokens = claims(shop, use(signed_in, page, held))
    assert token["amr"] == ["pop", "user", "swk", "mfa"], "what was proved before is not part of it"


def test_discovery_names_the_levels(world):
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["acr_values_supported"][:2] == ["phrh", "phr"]
