"""What the script adds, and that nothing is lost without it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "static" / "kairos"


@pytest.mark.parametrize(("name", "most"), [("kairos.css", 8 * 1024), ("kairos.js", 2 * 1024), ("mark.svg", 1024)])
def test_the_files_stay_small(name, most):
    assert len(gzip.compress((STATIC / name).read_bytes())) < most


def test_form_post_leaves_by_itself(visit):
    page = visit("/specimen/form-post")
    page.wait_for_url("**/specimen/logged-out")


def test_form_post_waits_for_the_button_without_script(visit):
    page = visit("/specimen/form-post", javascript=False)
    assert page.url.endswith("/specimen/form-post")
    assert page.locator("#form-post-continue").is_visible()


def test_the_two_answers_of_the_consent_page_are_the_same_size(visit):
    page = visit("/specimen/consent")
    allow, deny = page.locator("#consent-allow").bounding_box(), page.locator("#consent-deny").bounding_box()
    assert allow is not None
    assert deny is not None
    assert (allow["width"], allow["height"]) == (deny["width"], deny["height"])


def test_consent_shows_who_asks_what_for_and_where_one_goes(visit):
    page = visit("/specimen/consent")
    text = page.locator("main").inner_text()
    for words in ("Meal Planner", "mealplanner.example", "ana@example.org, verified", "Ana Reyes", "Stay connected"):
        assert words in text
    assert "ana@example.org" in page.locator("header").inner_text()
    assert page.locator(".alert.warn").count() == 0


def test_an_unverified_app_is_called_so(visit):
    page = visit("/specimen/consent-unverified")
    assert page.locator(".alert.warn").is_visible()


def test_the_error_page_names_reference_and_remedy_and_folds_the_rest(visit):
    page = visit("/specimen/error")
    assert page.locator("#error-reference").inner_text() == "K7Q2-4MFP"
    assert "What you can do" in page.locator("#error-page").inner_text()
    assert not page.get_by_text("RFC 6749 3.1.2.4").is_visible()
    page.locator("#error-page summary").click()
    assert page.get_by_text("RFC 6749 3.1.2.4").is_visible()


def test_keyboard_focus_is_always_visible(visit):
    page = visit("/specimen/consent")
    for _ in range(8):
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (width, style) == ("2px", "solid")


def test_nothing_moves_for_those_who_asked_for_that(visit):
    page = visit("/specimen/consent", reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.button')).transitionDuration") == "0s"


def test_dark_is_dark(visit):
    light = visit("/specimen/error", color_scheme="light").evaluate("getComputedStyle(document.body).backgroundColor")
    dark = visit("/specimen/error", color_scheme="dark").evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(244, 245, 248)", "rgb(15, 18, 27)")
