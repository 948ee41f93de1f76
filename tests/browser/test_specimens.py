"""Every page and state that can be shown by itself: accessible, narrow, light and dark, complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .conftest import Complaints, faults_in_both_modes, overflow, with_axe
from .specimens import SPECIMENS

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE = {"width": 960, "height": 800}
WITH_REFUSAL = {"signup-passkey-refused"}  # a page that goes on, with an error in it


@dataclass
class Shown:
    name: str
    page: Page
    complaints: Complaints


@pytest.fixture(scope="module")
def watched(chromium, provider) -> Iterator[tuple[Page, Complaints]]:
    """One page for the whole file: a browser context costs more than all questions to a specimen."""
    context = chromium.new_context(base_url=provider.url, viewport=WIDE, reduced_motion="reduce")  # no half-faded colours
    page, complaints = with_axe(context.new_page()), Complaints()
    complaints.watch(page)
    yield page, complaints
    context.close()


@pytest.fixture(scope="module", params=SPECIMENS)
def shown(request, watched) -> Iterator[Shown]:
    page, complaints = watched
    page.context.clear_cookies()
    complaints.clear()
    if request.param in ("form-post", "signing-out"):  # stay: without its script the page does not leave by itself
        page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"/specimen/{request.param}")
    yield Shown(request.param, page, complaints)
    page.unroute_all()


def test_axe_finds_nothing(shown):
    shown.page.evaluate("document.querySelectorAll('details:not(.menu)').forEach((each) => { each.open = true })")
    assert faults_in_both_modes(shown.page) == ""


def test_nothing_is_wider_than_a_small_phone(shown):
    # 320 CSS pixels are also a 1280 pixel window at 400 % zoom (WCAG 1.4.10).
    shown.page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(shown.page) == 0
    shown.page.set_viewport_size(WIDE)


def test_one_heading_and_at_most_one_primary_button(shown):
    assert shown.page.locator("h1").count() == 1
    assert shown.page.locator(".button:not(.outline, .text, .danger)").count() <= 1


def test_buttons_and_fields_are_large_enough_to_hit(shown):
    controls = shown.page.locator("main button:visible:not(.reveal), main .button:visible, main input:visible:not([type=checkbox])")
    sizes = controls.evaluate_all("all => all.map((each) => [each.getBoundingClientRect().height, each.className])")
    assert [(height, name) for height, name in sizes if height < (38 if "small" in name else 46)] == []


def test_the_frame_is_complete(shown):
    root, title = shown.page.locator("html"), shown.page.title()
    assert (root.get_attribute("lang"), root.get_attribute("dir")) == ("en", "ltr")
    assert title.endswith(" · Kairos ID")
    error = shown.page.locator("#error-page, #throttled, #upstream-failed").count() == 1 or shown.name in WITH_REFUSAL
    assert title.startswith("Error: ") == error


def test_the_browser_does_not_complain(shown):
    # The Content-Security-Policy refuses nothing, no file is missing, no script fails.
    assert shown.complaints == []
