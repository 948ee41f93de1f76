"""Kairos ID signing in through another Kairos ID, in a real browser: new, returning, conflict, link, unlink, disabled, upstream down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import provider as provider_process

from .conftest import PASSWORD, STARTS_WITHIN, Complaints, Profiles, faults, overflow, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.embedded, pytest.mark.slow]


@dataclass
class Two:
    """The provider of the tests, and the one that it sends people to."""

    here: provider_process.Provider
    there: provider_process.Provider


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Two]:
    cheap = {"IDP_ARGON2_MEMORY_KIB": "7168", "IDP_ARGON2_ITERATIONS": "1"}
    allowed, other_name = {"IDP_OUTBOUND_ALLOW": "127.0.0.1", **cheap}, {"IDP_BRAND_NAME": "Work ID", **cheap}
    start = provider_process.embedded
    with (  # cookies do not know ports: they need different hosts
        start(tmp_path_factory.mktemp("there"), seconds=STARTS_WITHIN, settings=other_name, host="127.0.0.1") as there,
        start(tmp_path_factory.mktemp("here"), seconds=STARTS_WITHIN, settings=allowed) as here,
    ):
        client = there.add_client(
            "Here",
            type="web",
            redirect_uri=f"{here.issuer}/federation/work/callback",
            post_logout_redirect_uri=f"{here.issuer}/logout/upstream",
            first_party=True,
        )
        here.manage(
            "upstream", "add", "work", "--issuer", there.issuer, "--client-id", client["client_id"], "--label", "Work", "--logout",
            given=client["client_secret"] + "\n",
        )  # fmt: skip
        tested = here.manage("upstream", "test", "work")
        assert tested["works"] is True, tested
        yield Two(here, there)


@pytest.fixture
def visit(profiles: Profiles, two: Two) -> Iterator[Callable[..., Page]]:
    with visiting(profiles, two.here.issuer) as open_page:
        yield open_page


def look(page: Page) -> None:
    assert faults(page) == ""
    assert page.locator("h1").count() == 1
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids)), ids
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0
    page.set_viewport_size({"width": 960, "height": 800})


def prove_there(page: Page, two: Two, email: str) -> None:
    """The other provider's own pages."""
    page.wait_for_url(f"{two.there.issuer}/login**")
    expect(page.locator("#id_login")).to_be_visible()
    page.fill("#id_login", email)
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")


def prove_here(page: Page, email: str) -> None:
    page.fill("#id_login", email)
    page.fill("#id_password", PASSWORD)
    page.click("#login-submit")


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["script", "without script"])
def test_new_returning_and_out_again(visit: Callable[..., Page], two: Two, options: dict[str, Any]) -> None:
    email = f"new-{len(options)}@example.org"
    two.there.add_person(email=email, password=PASSWORD, claims={"name": "Nora New", "locale": "en-GB"})
    page = visit("/login", **options)
    complaints = Complaints()
    complaints.watch(page)
    if not options:
        look(page)
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/account")
    expect(page.locator("body")).to_contain_text("Nora New")
    shown = two.here.manage("user", "show", email)
    assert shown["email_verified"] is True
    # Out, here and there.
    page.goto("/logout")
    page.click("#logout-confirm")
    if options:
        page.click("#logout-continue")
    page.wait_for_url(f"{two.here.issuer}/logout/done")
    # Returning: the other provider asks again, because it was signed out as well.
    page.goto("/login")
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/account")
    assert two.here.manage("user", "show", email)["sub"] == shown["sub"]
    assert complaints == []


def test_a_conflict_is_settled_by_the_person(visit: Callable[..., Page], two: Two) -> None:
    email = "both@example.org"
    two.there.add_person(email=email, password=PASSWORD)
    two.here.add_person(email=email, password=PASSWORD)
    page = visit("/login")
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/login/link")
    look(page)
    page.click("#link-sign-in")
    prove_here(page, email)
    page.wait_for_url(f"{two.here.issuer}/login/link")
    look(page)
    expect(page.locator("#link-ours")).to_have_text(email)
    page.click("#link-confirm")
    page.wait_for_url(f"{two.here.issuer}/account")
    second = visit("/login")
    second.click("#upstream-work")
    prove_there(second, two, email)
    second.wait_for_url(f"{two.here.issuer}/account")


def test_linking_and_ending_it(visit: Callable[..., Page], two: Two) -> None:
    two.there.add_person(email="lin@work.example", password=PASSWORD)
    two.here.add_person(email="lin@example.org", password=PASSWORD)
    page = visit("/login?next=/account/linked")
    prove_here(page, "lin@example.org")
    look(page)
    page.click("#upstream-work")
    prove_there(page, two, "lin@work.example")
    page.wait_for_url(f"{two.here.issuer}/login/link")
    expect(page.locator("#link-theirs")).to_have_text("lin@work.example")
    page.click("#link-confirm")
    page.wait_for_url(f"{two.here.issuer}/account/linked")
    expect(page.locator("#content")).to_contain_text("lin@work.example")
    look(page)
    page.click("button[name=unlink]")
    expect(page.locator("#content")).to_contain_text("does not sign you in any more")
    expect(page.locator("button[name=unlink]")).to_have_count(0)


def test_the_last_way_in_cannot_be_ended(visit: Callable[..., Page], two: Two) -> None:
    two.there.add_person(email="last@example.org", password=PASSWORD)
    page = visit("/login?next=/account/linked")
    page.click("#upstream-work")
    prove_there(page, two, "last@example.org")
    page.wait_for_url(f"{two.here.issuer}/account/linked")
    expect(page.locator("#content")).to_contain_text("Your last way in")
    expect(page.locator("button[name=unlink]")).to_have_count(0)
    look(page)


def test_somebody_disabled_stays_out(visit: Callable[..., Page], two: Two) -> None:
    email = "gone@example.org"
    two.there.add_person(email=email, password=PASSWORD)
    page = visit("/login")
    page.click("#upstream-work")
    prove_there(page, two, email)
    page.wait_for_url(f"{two.here.issuer}/account")
    two.here.manage("user", "disable", email)
    second = visit("/login")
    second.click("#upstream-work")
    prove_there(second, two, email)
    second.wait_for_url(f"{two.here.issuer}/login/disabled")
    second.goto("/account")
    expect(second.locator("#login-submit")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_googles_button_follows_its_rules(visit: Callable[..., Page], two: Two, scheme: str) -> None:
    if scheme == "light":
        two.here.manage("upstream", "add", "google", "--kind", "google", "--label", "Google", "--issuer", "https://accounts.google.com",
                        "--client-id", "x", given="y\n")  # fmt: skip
    page = visit("/login", color_scheme=scheme)
    button = page.locator("#upstream-google")
    for _ in range(20):  # other processes than that of the command learn it within a second
        if button.count():
            break
        time.sleep(0.2)
        page.reload()
    expect(button).to_have_text("Sign in with Google")
    assert button.evaluate("e => getComputedStyle(e).backgroundColor") == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(19, 19, 20)")
    look(page)


def test_an_upstream_that_is_down_leaves_every_other_way(visit: Callable[..., Page], two: Two) -> None:
    """The last story of the file: it ends the other provider."""
    two.here.add_person(email="calm@example.org", password=PASSWORD)
    page = visit("/login")
    with page.expect_request(lambda request: request.url.startswith(f"{two.there.issuer}/authorize")) as asked:
        page.click("#upstream-work")
    page.wait_for_url(f"{two.there.issuer}/login**")
    two.there.server.stop()
    state = parse_qs(urlsplit(asked.value.url).query)["state"][0]
    page.goto(f"{two.here.issuer}/federation/work/callback?{urlencode({'state': state, 'code': 'c', 'iss': two.there.issuer})}")
    expect(page.locator("#upstream-failed")).to_contain_text("Work does not answer at the moment")
    expect(page.locator("#upstream-retry")).to_be_visible()
    look(page)
    page.click("#upstream-back")
    prove_here(page, "calm@example.org")
    page.wait_for_url(f"{two.here.issuer}/account")
