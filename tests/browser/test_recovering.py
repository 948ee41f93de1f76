"""Never a dead end: other tabs, the back button, reloads and other accounts all come back to the request that was made."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

EMAIL, OTHER = "tabs@example.org", "other@example.org"


@pytest.fixture(autouse=True)
def people(provider):
    provider.person(EMAIL)
    provider.person(OTHER)


def _ask(page):
    page.goto("/playground/")
    page.locator('button[name=preset][value="consent"]').click()
    expect(page.locator("main")).to_contain_text("to continue to Playground")


def _allow(page):
    expect(page.locator("#consent-allow")).to_be_visible()
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    expect(page.locator("details.step").last.locator("summary")).to_contain_text("verified")


def test_two_tabs_both_arrive(visit, provider):
    first = visit("/playground/")
    second = first.context.new_page()
    _ask(first)
    _ask(second)
    provider.sign_in(first, EMAIL)
    _allow(first)
    # The form of the second tab is older than the session: it starts again, with its own request.
    provider.sign_in(second, EMAIL)
    if second.locator("#start-again").count():
        second.click("#start-again")
    if second.locator("#id_password").count():
        provider.sign_in(second, EMAIL)
    _allow(second)


def test_the_back_button_leads_forward_again(visit, provider):
    page = visit("/playground/")
    _ask(page)
    provider.sign_in(page, EMAIL)
    expect(page.locator("#consent-allow")).to_be_visible()
    page.go_back()
    page.reload()
    _allow(page)


def test_going_back_after_the_answer_starts_the_request_again(visit, provider):
    page = visit("/playground/")
    _ask(page)
    provider.sign_in(page, EMAIL)
    consent = page.url
    _allow(page)
    page.goto(consent)
    expect(page.locator("#consent-allow")).to_be_visible()
    assert page.url != consent


def test_another_account_may_be_chosen_on_the_consent_page(visit, provider):
    page = visit("/playground/")
    _ask(page)
    provider.sign_in(page, EMAIL)
    expect(page.locator("header")).to_contain_text(EMAIL)
    page.click("#switch-account")
    provider.sign_in(page, OTHER)
    expect(page.locator("header")).to_contain_text(OTHER)
    _allow(page)
    expect(page.locator("details.step", has_text="ID token").last).to_contain_text(provider.people[OTHER])


def test_a_link_to_somebody_elses_request_goes_nowhere(visit, provider):
    page = visit("/playground/")
    _ask(page)
    stranger = visit(page.url)
    expect(stranger.locator("#error-page")).to_be_visible()
    expect(stranger.locator("#error-reference")).to_be_visible()
