"""The rules of the hosted pages, on the pages between "sign in" and "signed in"."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import NEVER, PASSWORD, faults, faults_in_both_modes, overflow

WRONG = "Email or password is wrong. Check both, or reset your password."
FORMS = {
    "/login": {"#id_login": "username webauthn", "#id_password": "current-password"},
    "/signup": {"#id_email": "email", "#id_password": "new-password"},
    "/password/forgot": {"#id_email": "username"},
}


@pytest.fixture(autouse=True)
def ana(provider):
    return provider.person("ana@example.org", name="Ana Reyes")


@pytest.mark.parametrize("address", FORMS)
def test_every_field_has_a_label_and_an_autofill_token(visit, address):
    page = visit(address)
    for field, token in FORMS[address].items():
        assert page.locator(field).get_attribute("autocomplete") == token
        expect(page.locator(f'label[for="{field[1:]}"]')).to_be_visible()
    assert page.locator("form[method=post]").first.get_attribute("action") == address
    assert page.locator("main input:visible").count() == len(FORMS[address])


@pytest.mark.parametrize("address", FORMS)
def test_axe_finds_nothing_where_nothing_was_filled_in(visit, address):
    page = visit(address)
    page.locator("main form button.button").first.click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert faults_in_both_modes(page) == ""
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0


def test_a_wrong_password_says_so_at_the_field_and_keeps_the_name(visit):
    page = visit("/login")
    page.fill("#id_login", "ana@example.org")
    page.fill("#id_password", "wrong")
    page.click("#login-submit")
    field = page.locator("#id_password")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    described = [page.locator(f"#{name}").inner_text() for name in (field.get_attribute("aria-describedby") or "").split()]
    assert described == [WRONG]
    assert page.locator(".error svg").is_visible()  # a mark, not colour alone
    assert page.title().startswith("Error: ")
    assert page.locator("#id_login").input_value() == "ana@example.org"
    assert field.input_value() == ""


def test_an_unknown_name_reads_the_same(visit):
    page = visit("/login")
    page.fill("#id_login", "nobody@example.org")
    page.fill("#id_password", "wrong")
    page.click("#login-submit")
    expect(page.locator("#id_password-error")).to_have_text(WRONG)


@pytest.mark.parametrize("javascript", [True, False])
def test_signing_in(visit, provider, javascript):
    page = visit("/account", javascript=javascript)
    assert "/login" in page.url
    provider.sign_in(page)
    expect(page.locator("h1")).to_have_text("Your account")
    expect(page.locator("header")).to_contain_text("Ana Reyes")


def test_the_password_can_be_looked_at(visit):
    page = visit("/login")
    page.fill("#id_password", "secret")
    toggle = page.get_by_role("button", name="Show password")
    toggle.click()
    expect(page.locator("#id_password")).to_have_attribute("type", "text")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    toggle.click()
    expect(page.locator("#id_password")).to_have_attribute("type", "password")


def test_without_script_there_is_no_button_that_does_nothing(visit):
    page = visit("/login", javascript=False)
    expect(page.get_by_role("button", name="Show password")).to_be_hidden()
    expect(page.locator("#login-submit")).to_be_visible()


def test_pasting_is_allowed(visit):
    page = visit("/login")
    for field in ("#id_login", "#id_password"):
        allowed = "each => each.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true}))"
        assert page.locator(field).evaluate(allowed) is True


def test_a_second_click_sends_nothing(visit):
    page = visit("/login")
    page.fill("#id_login", "ana@example.org")
    page.fill("#id_password", "wrong")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" and request.url.endswith("/login") else None)
    page.locator("#login-submit").dblclick()
    expect(page.locator("#id_password-error")).to_be_visible()
    assert len(sent) == 1


def test_keyboard_only(visit, provider):
    page = visit("/login")
    expect(page.locator("#id_login")).to_be_focused()
    page.keyboard.type("ana@example.org")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.tagName") == "A":  # "Forgot it?" stands beside the label
        page.keyboard.press("Tab")
    expect(page.locator("#id_password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account")


@pytest.mark.parametrize("javascript", [True, False])
def test_signing_up_with_the_code_from_the_mail(visit, provider, javascript):
    address = f"new-{javascript}@example.org".lower()
    page = visit("/signup", javascript=javascript)
    page.fill("#id_email", address)
    page.fill("#id_password", PASSWORD)
    page.locator("main form button.button").first.click()
    code_field = page.locator("#id_code")
    assert code_field.get_attribute("autocomplete") == "one-time-code"
    assert code_field.get_attribute("inputmode") == "numeric"
    mail = provider.wait_for_mail(address)
    found = re.search(r"\b\d{3} ?\d{3}\b", mail["text"])
    assert found is not None
    code_field.fill(found[0])
    page.click("#verify-submit")
    page.wait_for_url("**/account")
    expect(page.locator("main")).to_contain_text("verified")


def test_forgetting_a_password(visit, provider):
    provider.person("forgetful@example.org")
    page = visit("/login")
    page.get_by_role("link", name="Forgot it?").click()
    page.fill("#id_email", "forgetful@example.org")
    page.locator("main form button.button").first.click()
    expect(page.locator("#reset-sent")).to_be_visible()
    link = next(link for link in provider.wait_for_mail("forgetful@example.org")["links"] if "/password/reset" in link)
    page.goto(link)
    assert page.locator("#id_password").get_attribute("autocomplete") == "new-password"
    assert page.locator('input[autocomplete="username"]').input_value() == "forgetful@example.org"  # managers pair the two
    assert faults(page) == ""
    page.fill("#id_password", "nine brown foxes under the bridge")
    page.click("#reset-submit")
    page.wait_for_url(re.compile(r"/login"))
    expect(page.locator("[role=status]").filter(has_text="Your password is changed.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_code_instead_of_the_password(visit, provider, javascript):
    """In the browser that asked; the link in the mail only fills it in."""
    address = f"by-code-{javascript}@example.org".lower()  # nobody else's mail is the newest
    provider.person(address)
    page = visit("/login", javascript=javascript)
    page.fill("#id_login", address)
    page.click("#login-code")
    page.wait_for_url("**/login/code*")
    assert page.locator("#id_code").get_attribute("autocomplete") == "one-time-code"
    link = next(link for link in provider.wait_for_mail(address)["links"] if "code=" in link)
    page.goto(link)
    page.click("#verify-submit")
    page.wait_for_url("**/account")


@pytest.fixture
def work_after_three(provider):
    provider.work_after(3)
    yield
    provider.work_after(NEVER)


@pytest.mark.usefixtures("work_after_three")
def test_work_before_a_guess_is_done_by_the_browser(visit, provider):
    """PW-08: after many wrong passwords from here the page computes by itself, and the person notices a moment at most."""
    page = visit("/login")
    for number in range(3):
        page.fill("#id_login", f"nobody{number}@example.org")
        page.fill("#id_password", "certainly not the password")
        page.click("#login-submit")
        expect(page.locator(".error")).to_be_visible()
    expect(page.locator("[data-challenge]")).to_be_visible()
    page.fill("#id_login", "ana@example.org")
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_url("**/account")
