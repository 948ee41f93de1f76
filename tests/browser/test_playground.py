"""The playground signs a person in like any other app, and what it shows is true."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Complaints, faults, faults_in_both_modes, overflow

EMAIL = "piet@example.org"


@pytest.fixture(autouse=True)
def piet(provider):
    return provider.person(EMAIL, name="Piet Visser")


@pytest.fixture
def at_consent(visit, provider):
    """`at_consent(preset)`: the consent page of a fresh browser, and what the browser complained about so far."""

    def open_page(preset="consent", **options):
        page = visit("/playground/", **options)
        page.complaints = Complaints()
        page.complaints.watch(page)
        page.locator(f'button[name=preset][value="{preset}"]').click()
        expect(page.locator("main")).to_contain_text("to continue to Playground")
        provider.sign_in(page, EMAIL)
        return page

    return open_page


def _step(page, title):
    return page.locator("details.step", has=page.locator("summary b", has_text=title)).last


@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_button_to_verified_tokens(at_consent, piet, javascript):
    page = at_consent(javascript=javascript)
    main = page.locator("main")
    for words in ("Playground", "localhost", "Piet Visser", f"{EMAIL}, verified"):
        expect(main).to_contain_text(words)
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    for title in ("Authorization response", "ID token", "Access token"):
        expect(_step(page, title).locator("summary")).to_contain_text("verified")
    expect(_step(page, "ID token")).to_contain_text(piet)
    assert page.locator("li.bad").count() == 0
    page.locator("button[value=userinfo]").click()
    expect(_step(page, "Userinfo")).to_contain_text("Piet Visser")
    page.locator("button[value=refresh]").click()
    expect(_step(page, "Refresh").locator("summary")).to_contain_text("200")
    assert page.locator("li.bad").count() == 0
    page.locator("button[value=introspect]").click()
    expect(_step(page, "Introspection")).to_contain_text('"active": true')
    page.locator("button[value=revoke]").click()
    expect(_step(page, "Revocation").locator("summary")).to_contain_text("200")
    page.locator("button[value=refresh]").click()
    expect(_step(page, "Refresh")).to_contain_text("invalid_grant")
    assert page.complaints == []


def test_a_replayed_code_ends_everything(at_consent):
    page = at_consent()
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    page.locator("button[value=replay]").click()
    expect(page.locator("#last")).to_contain_text("invalid_grant")
    page.locator("button[value=refresh]").click()
    expect(page.locator("#last")).to_contain_text("invalid_grant")


def test_declining_tells_the_app(at_consent):
    page = at_consent()
    page.click("#consent-deny")
    page.wait_for_url("**/playground/#last")
    expect(_step(page, "Authorization response")).to_contain_text("access_denied")


def test_form_post(at_consent):
    page = at_consent("form_post")
    if page.locator("#consent-allow").count():
        page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    expect(_step(page, "Authorization response")).to_contain_text("POST")
    expect(_step(page, "ID token").locator("summary")).to_contain_text("verified")
    assert page.complaints == []


def test_nobody_is_asked_when_the_app_asks_not_to(visit):
    page = visit("/playground/")
    page.locator("button[value=none]").click()
    page.wait_for_url("**/playground/#last")
    expect(_step(page, "Authorization response")).to_contain_text("login_required")


def test_signing_out_comes_back_and_the_session_is_over(at_consent):
    page = at_consent()
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    page.click("#playground-sign-out")
    page.wait_for_url("**/playground/?state=*")
    page.goto("/account")
    assert "/login" in page.url


def test_axe_finds_nothing(at_consent):
    page = at_consent(reduced_motion="reduce")
    assert faults(page) == ""
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert faults_in_both_modes(page) == ""
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0


def test_an_app_that_is_not_registered_meets_the_error_page(visit):
    page = visit("/authorize?response_type=code&client_id=nobody&redirect_uri=https://app.example/cb")
    expect(page.locator("#error-page")).to_be_visible()
    expect(page.locator("#error-reference")).to_be_visible()
    assert "nobody" not in page.locator("main").inner_text()  # nothing of the request is repeated
    assert page.title().startswith("Error: ")
    assert faults(page) == ""
