"""A person's own pages: who they are, which apps have access, and taking it back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import faults

EMAIL = "vera@example.org"


@pytest.fixture
def signed_in(visit, provider):
    """`signed_in("/account")`: that page, as Vera sees it."""
    provider.person(EMAIL, name="Vera Kovač", nickname="vera", address={"formatted": "Ulica 1\n10000 Zagreb"})

    def open_page(address, **options):
        page = visit(address, **options)
        provider.sign_in(page, EMAIL)
        expect(page.locator("h1")).to_be_visible()
        return page

    return open_page


def test_the_section_that_is_open_is_marked(signed_in):
    page = signed_in("/account")
    for address in ("/account", "/account/apps", "/account/password", "/account/sessions"):
        page.goto(address)
        assert page.locator("nav [aria-current=page]").get_attribute("href") == address


def test_the_overview_says_who_one_is(signed_in, provider):
    page = signed_in("/account")
    main = page.locator("main")
    for words in ("Vera Kovač", EMAIL, "verified", "Ulica 1, 10000 Zagreb"):
        expect(main).to_contain_text(words)
    expect(page.locator("#account-sub")).to_be_hidden()
    page.get_by_text("For support and developers").click()
    expect(page.locator("#account-sub")).to_have_text(provider.people[EMAIL])


def test_an_app_that_got_access_appears_and_can_be_removed(signed_in):
    page = signed_in("/account/apps")
    expect(page.locator("main")).to_contain_text("No app has access.")
    page.goto("/playground/")
    page.click("#playground-sign-in")
    page.click("#consent-allow")
    page.wait_for_url("**/playground/#last")
    page.goto("/account/apps")
    expect(page.locator("main")).to_contain_text("Playground")
    expect(page.locator("main")).to_contain_text("Your email address")
    assert faults(page) == ""
    page.get_by_role("button", name="Remove Playground").click()
    expect(page.locator("[role=status]")).to_have_text("Playground no longer has access.")
    expect(page.locator("main")).to_contain_text("No app has access.")
    # At once: the app's refresh token is worth nothing now, and it has to ask again.
    page.goto("/playground/")
    page.locator("button[value=refresh]").click()
    expect(page.locator("#last")).to_contain_text("invalid_grant")
    page.click("#playground-sign-in")
    expect(page.locator("#consent-allow")).to_be_visible()


def test_another_browser_can_be_signed_out(signed_in):
    elsewhere, page = signed_in("/account"), signed_in("/account/sessions")
    expect(page.locator("main")).to_contain_text("this browser")
    page.click("#end-others")
    expect(page.locator("[role=status]")).to_contain_text("Signed out in")
    expect(page.locator("#end-others")).to_have_count(0)
    elsewhere.goto("/account")
    assert "/login" in elsewhere.url
    page.goto("/account")
    assert page.url.endswith("/account")


def test_signing_out_asks_first_and_ends_the_session(signed_in):
    page = signed_in("/account")
    page.click("#sign-out")
    expect(page.locator("#logout-confirm")).to_be_visible()
    assert faults(page) == ""
    page.click("#logout-confirm")
    expect(page.locator("#logged-out")).to_be_visible()
    page.goto("/account")
    assert "/login" in page.url


def test_the_bare_address_leads_somewhere(visit, signed_in):
    assert "/login" in visit("/").url
    page = signed_in("/account")
    page.goto("/")
    assert page.url.endswith("/account")
