"""Group BR, AR-19, AR-20: a paused request belongs to one browser, its stored copy counts, and every way back leads on."""

from __future__ import annotations

import re

import pytest
import time_machine
from django.conf import settings

from tests.support import refused
from tests.support.browser import Browser
from tests.support.clauses import clause
from tests.support.factories import PASSWORD
from tests.support.rp import through_pages

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)


def interaction_of(answer):
    return (answer.header("Location") or answer.sent.target).partition("interaction=")[2].partition("&")[0]


def signs_in(browser, page, email="ada@example.org"):
    return browser.submit(page, button="login-submit", login=email, password=PASSWORD)


def sends_an_old_form(browser, page):
    """A tab whose form is older than the sign-in of another tab: its token is stale, and the page says so with a link that leads on."""
    answer = browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD)
    if answer.status == 403:
        answer = browser.get(re.search(r'href="([^"]+)" id="start-again"', answer.text)[1])
    return browser.follow(answer)


@clause("BR-08", "RFC 9700 4.7")
def test_a_link_to_somebody_elses_paused_request_is_worth_nothing(world, shop, ada, browser):
    attacker = world.browser()
    stolen = interaction_of(shop.ask(attacker))
    attempt = shop.last
    shop.code(browser)  # the victim is signed in and has agreed
    refused.page(browser.get(f"/authorize/resume?interaction={stolen}"), "interaction-foreign")
    for path in ("/login", "/consent", "/signup"):
        answer = browser.follow(browser.get(f"{path}?interaction={stolen}"))
        assert "code=" not in (answer.header("Location") or "")
        assert "#" not in (answer.header("Location") or "")
    # Nor does a sign-in posted with that id complete it for the attacker.
    page = world.browser()
    login = page.visit("/login")
    answer = page.submit(login, button="login-submit", login="ada@example.org", password=PASSWORD, interaction=stolen)
    assert page.follow(answer).status == 400
    assert 'id="login-submit"' in attacker.visit(f"/authorize/resume?interaction={stolen}").text
    assert attempt.state


@clause("BR-08")
def test_an_attacker_cannot_plant_their_browser_cookie_in_a_request(world, shop, ada, browser):
    """Without any cookie of ours the paused request is foreign: also for a browser that keeps none."""
    interaction = interaction_of(shop.ask(browser))
    refused.page(world.browser().get(f"/authorize/resume?interaction={interaction}"), "interaction-foreign")


@pytest.mark.parametrize("interaction", ["", "x", "x" * 32, "x" * 44, "%00", "%zz", "../../x", "a&interaction=b", "%F0%9F%98%80", "'--"])
@clause("BR-08", "PX-07")
def test_ids_of_nothing(shop, signed_in, interaction):
    answer = signed_in.get(f"/authorize/resume?interaction={interaction}")
    assert (answer.status, answer.header("Location")) == (400, None)
    for path in ("/login", "/consent"):
        assert signed_in.get(f"{path}?interaction={interaction}").status in (200, 302)


@clause("BR-02", "AR-19")
def test_consent_replayed_from_another_site_or_after_use(world, shop, ada, browser):
    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    fields = page.form(having="consent-allow").fields
    forged = {name: value for name, value in fields.items() if name != "csrfmiddlewaretoken"}
    assert browser.post("/consent", {**forged, "decision": "allow"}, Origin="https://evil.example").status == 403
    assert browser.post("/consent", {**fields, "decision": "allow"}, Origin="https://evil.example").status == 403
    assert ada.consents.count() == 0
    first = shop.arrive(browser.follow(browser.submit(page, button="consent-allow")))["code"]
    # Back button and the same form again: the original request, with a code of its own, to the same place.
    second = shop.arrive(browser.follow(browser.submit(page, button="consent-allow")))["code"]
    assert first != second


@clause("BR-02")
def test_consent_by_get_changes_nothing(shop, ada, browser):
    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    interaction = interaction_of(page)
    assert browser.get(f"/consent?interaction={interaction}&decision=allow").status == 200
    assert ada.consents.count() == 0


@clause("BR-03", "AR-19")
def test_what_the_form_sends_along_does_not_count(shop, ada, browser):
    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    answer = browser.submit(
        page, button="consent-allow", scope="openid email phone offline_access", redirect_uri="https://evil.example/",
        code_challenge="x" * 43, client_id="somebody-else", state="forged", next="https://evil.example/", wish='{"scopes":["phone"]}',
    )  # fmt: skip
    code = shop.arrive(browser.follow(answer))["code"]
    assert shop.redeem(code).json()["scope"] == "openid"
    assert ada.consents.get().scopes == ["openid"]


@clause("BR-03", "AR-19", "SN-08")
def test_what_the_urls_of_the_steps_say_does_not_count(shop, ada, browser):
    shop.code(browser)
    page = browser.follow(shop.ask(browser, prompt="login", scope="openid"))
    interaction = interaction_of(page)
    more = "prompt=none&scope=openid+email&redirect_uri=https://evil.example/&state=x&response_mode=fragment&ask=consent&step=done"
    answer = browser.get(f"/authorize/resume?interaction={interaction}&{more}")
    assert answer.location == f"/login?interaction={interaction}"
    assert browser.get(f"/consent?interaction={interaction}&{more}").location == f"/authorize/resume?interaction={interaction}"
    code = shop.arrive(through_pages(browser, browser.visit(f"/login?interaction={interaction}&{more}")))["code"]
    assert shop.redeem(code).json()["scope"] == "openid"


@clause("MF-05", "BR-03")
def test_no_step_can_be_skipped_by_its_url(shop, ada, browser):
    interaction = interaction_of(shop.ask(browser))
    page = browser.visit(f"/login?interaction={interaction}")
    token = page.form(having="login-submit").fields["csrfmiddlewaretoken"]
    for path, form in (("/consent", {"decision": "allow"}), ("/login", {"continue": "1"}), ("/login", {}), ("/signup", {})):
        browser.post(path, {"interaction": interaction, "csrfmiddlewaretoken": token, **form}, Origin=browser.origin)
        answer = browser.visit(f"/authorize/resume?interaction={interaction}")
        assert 'id="login-submit"' in answer.text
    assert ada.consents.count() == 0


@clause("AR-20")
def test_two_tabs_completed_in_reverse(world, shop, ada, browser):
    other = world.app("Other", redirect_uris=["https://other.example/cb"])
    first_page = browser.follow(shop.ask(browser))
    second_page = browser.follow(other.ask(browser))
    second = other.arrive(through_pages(browser, second_page))
    first = shop.arrive(through_pages(browser, sends_an_old_form(browser, first_page)))
    for app, code in ((shop, first["code"]), (other, second["code"])):
        tokens = app.redeem(code).json()
        app.id_token(tokens["id_token"], nonce=app.last.nonce)


@clause("AR-20")
def test_five_tabs_of_one_app(shop, ada, browser):
    attempts = []
    for _ in range(5):
        page = browser.follow(shop.ask(browser))
        attempts.append((page, shop.last))
    for page, attempt in reversed(attempts):
        code = shop.arrive(through_pages(browser, sends_an_old_form(browser, page)), attempt)["code"]
        assert shop.redeem(code, attempt).status == 200


@clause("BR-14", "product: back button, expired page and repeated submit recover")
def test_the_back_button_after_everything(shop, ada, browser):
    login = browser.follow(shop.ask(browser))
    consent = browser.follow(signs_in(browser, login))
    shop.arrive(browser.follow(browser.submit(consent, button="consent-allow")))
    # Back to each page of the past, by reload and by sending its form again: always the app, with a fresh code.
    for answer in (browser.get(login.sent.target), browser.get(consent.sent.target), sends_an_old_form(browser, login)):
        assert shop.arrive(browser.follow(answer))["code"]


@clause("product: back button, expired page and repeated submit recover")
def test_an_expired_page_restarts_the_original_request(shop, ada, browser):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        page = browser.follow(shop.ask(browser, scope="openid email"))
        clock.shift(settings.IDP.interaction_seconds + 1)
        answer = browser.follow(signs_in(browser, page))
        code = shop.arrive(through_pages(browser, answer))["code"]
        assert shop.redeem(code).json()["scope"] == "openid email"
        old = browser.follow(shop.ask(browser, prompt="consent"))
        clock.shift(settings.IDP.interaction_seconds + 1)
        new = browser.follow(browser.submit(old, button="consent-allow"))
        assert 'id="consent-allow"' in new.text  # asked again: the old answer was too late
        assert interaction_of(new) != interaction_of(old)


@clause("BR-09")
def test_signing_in_as_somebody_else_on_the_way(world, shop, ada, browser):
    """Nothing that Ada decided counts for Bob."""
    world.person("bob@example.org")
    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    switch = browser.visit(f"/login?interaction={interaction_of(page)}&switch=1")
    consent = browser.follow(signs_in(browser, switch, "bob@example.org"))
    assert "bob@example.org" in consent.text
    # Ada's page, sent while Bob is signed in: asked again, for Bob.
    code = shop.arrive(through_pages(browser, browser.follow(browser.submit(consent, button="consent-allow"))))["code"]
    from idp.accounts.models import User

    claims = shop.id_token(shop.redeem(code).json()["id_token"], nonce=shop.last.nonce)
    assert claims["sub"] == str(User.objects.get(email="bob@example.org").pk)
    assert ada.consents.count() == 0


@clause("BR-09", "TK-09")
def test_adas_consent_page_sent_after_bob_signed_in_elsewhere(world, shop, ada, browser):
    world.person("bob@example.org")
    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    tab = browser.visit("/login?switch=1")
    signs_in(browser, tab, "bob@example.org")
    fields = {**page.form(having="consent-allow").fields, "decision": "allow"}
    fields["csrfmiddlewaretoken"] = (
        browser.visit(f"/login?interaction={interaction_of(page)}&switch=1").form().fields["csrfmiddlewaretoken"]
    )
    answer = browser.follow(browser.post("/consent", fields, Origin=browser.origin))
    assert 'id="consent-allow"' in answer.text
    assert "bob@example.org" in answer.text
    from idp.consent.models import Consent

    assert Consent.objects.count() == 0


@clause("BR-13")
def test_two_session_cookies(world, shop, ada, browser):
    """A cookie tossed from a subdomain is at most an anonymous session, never somebody's."""
    attackers = world.browser()
    shop.code(attackers)
    name = next(name for name in attackers.cookies if "session" in name)
    planted = f"{name}={attackers.cookies[name]}; {name}={'x' * 43}"
    answer = world.browser().request("GET", shop.begin(prompt="none").url, headers={"Cookie": planted})
    assert answer.status in (302, 400)
    for value in ("", "x", "x" * 5000, "a%00b", '"', "\u00e4"):
        answer = world.browser().request(
            "GET", shop.begin(prompt="none").url, headers={"Cookie": f"{name}={value}; kairos_browser={value}"}
        )
        refused.redirect(answer, "login_required", to=shop.redirect_uri, state=shop.last.state, issuer=shop.issuer)


@clause("BR-01")
def test_the_session_is_renamed_at_sign_in_and_gone_after_sign_out(world, shop, ada, browser):
    page = browser.follow(shop.ask(browser))
    before = dict(browser.cookies)
    signs_in(browser, page)
    name = next(name for name in browser.cookies if "session" in name)
    assert browser.cookies[name] != before.get(name)
    kept = Browser(browser.send, origin=browser.origin)
    kept.cookies = dict(browser.cookies)
    browser.submit(browser.visit("/logout"), button="logout-confirm")
    answer = shop.ask(kept, prompt="none")
    refused.redirect(answer, "login_required", to=shop.redirect_uri, state=shop.last.state, issuer=shop.issuer)


@pytest.mark.parametrize(("limit", "step"), [("session_idle_seconds", 1), ("session_absolute_seconds", 4)])
@clause("BR-17")
def test_sessions_end_by_themselves(shop, ada, browser, limit, step):
    """Idle and absolute, without any cleaner."""
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        shop.code(browser)
        seconds = getattr(settings.IDP, limit)
        for _ in range(step - 1):
            clock.shift(seconds // step)
            assert shop.arrive(shop.ask(browser, prompt="none"))["code"]
        clock.shift(seconds // step + step)
        answer = shop.ask(browser, prompt="none")
        refused.redirect(answer, "login_required", to=shop.redirect_uri, state=shop.last.state, issuer=shop.issuer)


@clause("AR-21")
def test_an_app_that_is_switched_off_on_the_way(shop, ada, browser):
    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    page = browser.follow(shop.ask(browser))
    registry.set_enabled(Client.objects.get(client_id=shop.client_id), False)
    refused.page(browser.follow(signs_in(browser, page)), "client-unknown")


@clause("CO-07", "RF-14")
def test_a_person_who_is_switched_off_on_the_way(shop, ada, browser):
    from idp.accounts import people

    page = browser.follow(signs_in(browser, browser.follow(shop.ask(browser))))
    people.disable(ada)
    answer = browser.follow(browser.submit(page, button="consent-allow"))
    assert answer.status in (200, 403)
    assert ada.consents.count() == 0
