"""A real Chromium and a real, separate provider process (tests/support/provider.py) for every test of this folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page, expect

from tests.support import provider as provider_process
from tests.support.provider import WEB

# WCAG 2.2 AA, and what axe calls best practice.
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Frames are documents of their own, where axe is not: it would wait for their answers.
OF_THIS_PAGE = {"resultTypes": ["violations"], "iframes": False}
RULES = {"runOnly": {"type": "tag", "values": LEVELS}, **OF_THIS_PAGE}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, **OF_THIS_PAGE}
# Bounds for a machine that does ten other things at the same time; nobody waits for them otherwise.
STARTS_WITHIN = 180
expect.set_options(timeout=20_000)
# Wrong passwords before the browser has to compute: all tests of a process share a provider and a network, and would hinder one another.
NEVER = 10_000
PASSWORD = "seven green horses by the sea"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.chromium)
            item.add_marker(pytest.mark.needs("chromium"))
            if "provider" in item.fixturenames:  # type: ignore[attr-defined]  # it has its own database: once is enough
                item.add_marker(pytest.mark.embedded)


@dataclass
class Provider:
    """A running provider with an inbox, and its people."""

    served: provider_process.Provider
    people: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.served.issuer

    def person(self, email: str, **claims: object) -> str:
        """A verified person with PASSWORD; returns the `sub`. Made once per address."""
        if email not in self.people:
            self.people[email] = self.served.add_person(email=email, password=PASSWORD, claims=claims)["sub"]
        return self.people[email]

    def sign_in(self, page: Page, email: str = "ana@example.org") -> None:
        """Fill in the sign-in page that is shown and send it."""
        self.person(email)
        page.fill("#id_login", email)
        page.fill("#id_password", PASSWORD)
        page.click("#login-submit")

    def work_after(self, failures: int) -> None:
        """After so many wrong passwords the browser has to compute."""
        WEB.get(f"{self.url}/specimen/work-after/{failures}")

    def mails(self, to: str) -> list[dict[str, Any]]:
        """What /dev/inbox.json holds for an address, newest first."""
        found: list[dict[str, Any]] = WEB.get(f"{self.url}/dev/inbox.json", params={"to": to}).json()
        return found

    def wait_for_mail(self, to: str, seconds: float = 30) -> dict[str, Any]:
        """The newest mail to an address, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while not (found := self.mails(to)):
            assert time.monotonic() < deadline, f"no mail to {to} within {seconds} s"
            time.sleep(0.1)
        return found[0]


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Provider]:
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "IDP_ARGON2_MEMORY_KIB": "7168",
        "IDP_ARGON2_ITERATIONS": "1",
        "IDP_PRIVACY_URL": "https://example.org/privacy",
        "IDP_TERMS_URL": "https://example.org/terms",
        "IDP_HELP_URL": "https://example.org/help",
        "IDP_SMS_CODES": "true",
    }
    with provider_process.embedded(tmp_path_factory.mktemp("provider"), seconds=STARTS_WITHIN, settings=settings) as served:
        here = Provider(served)
        here.work_after(NEVER)
        yield here


class Complaints(list[str]):
    """What the browser printed to its console: refused by the Content-Security-Policy, missing files, script errors."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.append(str(error)))


class Profiles:
    """Browser contexts, each with nothing but a blank page, no cookie and a process that is warm: to start one costs a third of a second."""

    def __init__(self, chromium: Browser) -> None:
        self.chromium = chromium
        self.idle: list[tuple[str, Page]] = []

    def take(self, **options: Any) -> Page:
        """The page of a context with these options, which is the caller's until given back."""
        wanted = repr(sorted(options.items()))
        for one in self.idle:
            if one[0] == wanted:
                self.idle.remove(one)
                return one[1]
        return self.chromium.new_context(**options).new_page()

    def give_back(self, page: Page, **options: Any) -> None:
        """Its pages are closed, with all that was listened to, routed, stored per tab or plugged in there; the product stores nothing else."""
        context = page.context
        former = context.pages
        blank = context.new_page()  # before the others are closed: their process is kept
        for each in former:
            each.close()
        context.clear_cookies()
        self.idle.append((repr(sorted(options.items())), blank))
        if len(self.idle) > 6:
            self.idle.pop(0)[1].context.close()

    def close(self) -> None:
        for _, page in self.idle:
            page.context.close()


@pytest.fixture(scope="session")
def profiles(chromium: Browser) -> Iterator[Profiles]:
    kept = Profiles(chromium)
    yield kept
    kept.close()


@contextmanager
def visiting(profiles: Profiles, url: str) -> Iterator[Callable[..., Page]]:
    """`visit("/login", color_scheme="dark", javascript=False, width=390)`: a page of this provider, in a browser of its own."""
    taken: list[tuple[Page, dict[str, Any]]] = []

    def open_page(address: str, *, javascript: bool = True, width: int = 960, height: int = 800, **more: Any) -> Page:
        options = {"base_url": url, "java_script_enabled": javascript, "viewport": {"width": width, "height": height}, **more}
        page = profiles.take(**options)
        taken.append((page, options))
        page.context.set_default_timeout(30_000)
        page.goto(address)
        return page

    yield open_page
    for page, options in taken:
        profiles.give_back(page, **options)


@pytest.fixture
def visit(profiles: Profiles, provider: Provider) -> Iterator[Callable[..., Page]]:
    with visiting(profiles, provider.url) as open_page:
        yield open_page


def with_axe(page: Page) -> Page:
    """Every document of this page has axe-core from its beginning: for those on which many are looked at, a tenth of the cost."""
    page.add_init_script(AXE_SCRIPT)
    return page


# What passed, which is much, stays there. The colours of footer and side menu are compared once where they are the same, letter by letter,
# in the same mode and width; rules about the whole page see the whole of it.
LOOK = """async ([rules, seen]) => {
    if (!("axe" in window)) return null;
    const frame = [], exclude = [];
    if (rules.runOnly.type === "rule") {
        for (const name of ["footer.bottom", "nav.side"]) {
            const code = [...document.querySelectorAll(name)].map((each) => each.outerHTML.replace(/ value="[^"]*"/g, "")).join(); // tokens
            if (!code) continue;
            const same = [name, code, innerWidth, matchMedia("(prefers-color-scheme: dark)").matches].join();
            const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(same));
            const known = new Uint8Array(digest).join();
            if (seen.includes(known)) exclude.push([name]); else frame.push(known);
        }
    }
    const { violations } = await axe.run(exclude.length ? { exclude } : document, rules);
    return { violations, frame };
}"""
_looked_at: list[str] = []


def faults(page: Page, rules: dict[str, Any] = RULES) -> str:
    """What axe-core finds on the page as it is now; empty when nothing."""
    page.wait_for_load_state()
    if (found := page.evaluate(LOOK, [rules, _looked_at])) is None:
        page.evaluate(AXE_SCRIPT)
        with_axe(page)  # the next document of this page has it already
        found = page.evaluate(LOOK, [rules, _looked_at])
    if found["violations"]:
        return AxeResults(found).generate_report()
    _looked_at.extend(found["frame"])
    return ""


def faults_in(page: Page, mode: Literal["dark", "light"], rules: dict[str, Any] = RULES) -> str:
    """What axe-core finds in this mode, which the page keeps."""
    page.emulate_media(color_scheme=mode, reduced_motion="reduce")  # no half-faded colours
    return faults(page, rules)


def faults_in_both_modes(page: Page) -> str:
    """What axe-core finds in the dark and in the light mode. Only colours differ between them."""
    return faults_in(page, "dark", COLOURS) or faults_in(page, "light")


def walk(page: Page) -> None:
    """By keyboard alone: everything that can be used is reached, and seen when it is (WCAG 2.1.1, 2.4.7)."""
    wanted = page.locator("a[href]:visible, button:visible, input:visible, select:visible, textarea:visible, summary:visible").count()
    page.evaluate(
        """() => {
            window.walked = [];
            document.addEventListener("focusin", ({ target: one }) => {
                const style = getComputedStyle(one);
                one.dataset.walked = one.dataset.walked || String(document.querySelectorAll("[data-walked]").length + 1);
                window.walked.push([one.dataset.walked, style.outlineStyle, style.outlineWidth, one.tagName + " " + (one.id || one.textContent.trim())]);
            });
        }"""
    )
    for _ in range(wanted + 3):
        page.keyboard.down("Tab")  # held down, it goes on
    page.keyboard.up("Tab")
    reached: set[str] = set()
    for number, style, width, what in page.evaluate("window.walked"):
        if not what.startswith("IFRAME "):  # the page of another
            assert (style, width) == ("solid", "2px"), what
            reached.add(number)
    # "Skip to the content" is hidden until it is reached; of radio buttons of one name the arrow keys reach the others.
    radios = page.evaluate(
        "(() => { const all = [...document.querySelectorAll('input[type=radio]')]; return all.length - new Set(all.map((r) => r.name)).size })()"
    )
    assert len(reached) >= wanted - 1 - radios, f"{len(reached)} of {wanted}"


def overflow(page: Page) -> int:
    """By how many CSS pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
