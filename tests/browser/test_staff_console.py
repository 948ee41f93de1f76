"""The staff console in a real browser: no script needed, filters, references. How each page looks: test_every_page.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Provider, faults, overflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

STAFF = "staff@example.org"
Visit = Callable[..., "Page"]


@pytest.fixture(scope="module")
def app(provider: Provider) -> dict[str, Any]:
    """An app, and somebody who is staff."""
    provider.person(STAFF)
    provider.served.manage("staff", "grant", STAFF)
    return provider.served.add_client("Meal Planner", type="web", redirect_uri="https://meals.example/cb")


def signed_in(visit: Visit, provider: Provider, address: str = "/staff/", **options: Any) -> Page:
    page = visit(address, **options)
    provider.sign_in(page, STAFF)
    page.wait_for_selector("nav.side")
    return page


def test_an_app_is_added_without_script_and_its_secret_is_there_once(visit, provider, app):
    page = signed_in(visit, provider, javascript=False)
    page.get_by_role("link", name="Apps and services").first.click()
    page.get_by_role("link", name="Add", exact=True).click()
    page.get_by_role("link", name="Choose Web app").click()
    page.fill("#id_client_name", "Wiki")
    page.fill("#id_redirect_uris", "http://wiki.example/cb")
    page.click("#save")
    assert "Address 1 is plain http" in page.locator("#id_redirect_uris_error").inner_text()
    assert page.title().startswith("Error:")
    assert "id_redirect_uris_error" in (page.locator("#id_redirect_uris").get_attribute("aria-describedby") or "")
    page.fill("#id_redirect_uris", "https://wiki.example/cb")
    page.click("#save")
    secret = page.locator("#client-secret").inner_text()
    assert len(secret) >= 43
    page.click("#secret-kept")
    assert page.locator("#client-id").is_visible()
    assert secret not in page.content()
    page.get_by_role("link", name="New secret").click()
    page.get_by_label("One week").check()
    page.click("#confirm")
    assert page.locator("#client-secret").inner_text() != secret
    page.click("#secret-kept")
    page.get_by_role("link", name="Delete").click()
    page.click("#confirm")
    assert "Wiki is deleted." in page.locator("[role=status]").inner_text()


def test_filters_open_and_stay_on_the_page(visit, provider, app):
    page = signed_in(visit, provider, "/staff/oidc/client/", width=1100)
    for summary in page.locator(".filter > summary").all():
        summary.click()
        assert page.locator(".filter[open] .choices").is_visible()
        assert overflow(page) == 0
    page.locator(".filter[open] summary").press("Escape")
    assert page.locator(".filter[open]").count() == 0
    page.locator(".filter > summary", has_text="Kind").click()
    page.get_by_role("link", name="Service", exact=True).click()
    assert page.url.endswith("?kind=service")
    assert page.get_by_text("Nothing matches.").is_visible()
    page.fill("#searchbar", "meal")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=meal**")
    assert "kind=service" in page.url
    page.get_by_role("link", name="Clear").click()
    assert page.get_by_role("link", name="Meal Planner").is_visible()


def test_the_reference_on_an_error_page_is_found(visit, provider, app):
    page = signed_in(visit, provider)
    page.goto(f"/authorize?client_id={app['client_id']}&redirect_uri=https://else.example/&response_type=code&scope=openid")
    reference = page.locator("#error-reference").inner_text()
    page.goto("/staff/oidc/refusedrequest/")
    page.fill("#searchbar", reference)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=reference).click()
    assert page.get_by_text("RFC 9700 2.1").is_visible()
    assert faults(page) == ""
