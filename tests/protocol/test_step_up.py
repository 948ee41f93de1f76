"""How an app asks for more than a password (OpenID Connect Core 3.1.2.1, 5.5.1.1; RFC 9470; Unmet Authentication Requirements 1.0)."""

from __future__ import annotations

import json
import time

import pytest
import time_machine

from idp.sessions.assurance import ONE_FACTOR, TWO_FACTORS
from tests.support.authenticator import App, enrol

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(ada) -> App:
    return enrol(ada)


def essential(*values):
    return json.dumps({"id_token": {"acr": {"essential": True, "values": list(values)}}})


def confirm(browser, page, code):
    """Enter the code on the page of the second step, then agree where asked."""
    answer = browser.follow(browser.submit(page, button="second-factor-submit", code=code))
    if answer.status == 200 and "consent-allow" in answer.text:
        answer = browser.follow(browser.submit(answer, button="consent-allow"))
    return answer


def claims(shop, answer):
    members = shop.arrive(answer)
    tokens = shop.redeem(members["code"]).json()
    return shop.id_token(tokens["id_token"], nonce=shop.last.nonce), tokens


def asked_for_code(browser, shop, **request):
    page = browser.follow(shop.ask(browser, **request))
    assert "second-factor-submit" in page.text, page.text[:800]
    return page


def test_discovery_names_them_strongest_first(world):
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["acr_values_supported"][-2:] == [TWO_FACTORS, ONE_FACTOR]


@pytest.mark.clause("MF-14")
@pytest.mark.parametrize("request_", [{"acr_values": TWO_FACTORS}, {"claims": essential(TWO_FACTORS)}], ids=["voluntary", "essential"])
def test_a_running_session_is_asked_for_the_missing_factor_only(world, shop, signed_in, app, request_):
    page = asked_for_code(signed_in, shop, **request_)
    token, tokens = claims(shop, confirm(signed_in, page, app.code()))
    assert (token["acr"], token["amr"]) == (TWO_FACTORS, ["pwd", "otp", "mfa"])
    shown = shop.call("/introspect", {"token": tokens["access_token"]}).json()
    assert (shown["acr"], shown["amr"]) == (TWO_FACTORS, ["pwd", "otp", "mfa"])
    # The next app gets it without a question.
    token, _ = claims(shop, signed_in.follow(shop.ask(signed_in, **request_)))
    assert token["acr"] == TWO_FACTORS


def test_without_such_a_wish_nobody_is_asked(world, shop, signed_in, app):
    token, _ = claims(shop, signed_in.follow(shop.ask(signed_in)))
    assert (token["acr"], token["amr"]) == (ONE_FACTOR, ["pwd"])


def test_an_app_is_told_a_value_that_it_named(world, shop, signed_in, app):
    page = asked_for_code(signed_in, shop, acr_values=TWO_FACTORS)
    confirm(signed_in, page, app.code())
    token, _ = claims(shop, signed_in.follow(shop.ask(signed_in, claims=essential(ONE_FACTOR))))
    assert token["acr"] == ONE_FACTOR


def test_a_voluntary_wish_that_the_person_cannot_meet_is_no_error(world, shop, signed_in):
    token, _ = claims(shop, signed_in.follow(shop.ask(signed_in, acr_values=TWO_FACTORS)))
    assert token["acr"] == ONE_FACTOR


@pytest.mark.parametrize("prompt", [None, "none"])
def test_an_essential_one_that_the_person_cannot_meet_is(world, shop, signed_in, prompt):
    answer = signed_in.follow(shop.ask(signed_in, claims=essential(TWO_FACTORS), prompt=prompt))
    assert shop.arrive(answer)["error"] == "unmet_authentication_requirements"


def test_prompt_none_is_never_asked(world, shop, signed_in, app):
    answer = signed_in.follow(shop.ask(signed_in, claims=essential(TWO_FACTORS), prompt="none"))
    assert shop.arrive(answer)["error"] == "login_required"
    token, _ = claims(shop, signed_in.follow(shop.ask(signed_in, acr_values=TWO_FACTORS, prompt="none")))
    assert token["acr"] == ONE_FACTOR


def test_the_page_belongs_to_the_request_that_asks(world, shop, signed_in, app):
    """A request that wants the password again is not answered by a code instead."""
    page = signed_in.follow(shop.ask(signed_in, prompt="login"))
    interaction = page.form(having="login-submit").fields["interaction"]
    answer = signed_in.follow(signed_in.get(f"/login/second-factor?interaction={interaction}"))
    assert "login-submit" in answer.text
    answer = signed_in.follow(signed_in.post("/login/second-factor", {"code": app.code(), "interaction": interaction}))
    assert answer.status == 403 or "second-factor-submit" not in answer.text


def test_a_fresh_sign_in_asks_for_both_and_says_so(world, shop, ada, app, browser):
    page = browser.follow(shop.ask(browser))
    page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password="correct horse battery staple"))
    token, _ = claims(shop, confirm(browser, page, app.code()))
    assert (token["acr"], token["amr"]) == (TWO_FACTORS, ["pwd", "otp", "mfa"])


def test_an_old_session_proves_both_again_for_max_age(world, shop, signed_in, app):
    with time_machine.travel(time.time() + 600, tick=True):
        page = signed_in.follow(shop.ask(signed_in, max_age="300", acr_values=TWO_FACTORS))
        page = signed_in.follow(signed_in.submit(page, button="login-submit", password="correct horse battery staple"))
        token, _ = claims(shop, confirm(signed_in, page, app.code()))
        assert time.time() - token["auth_time"] < 60
        assert token["acr"] == TWO_FACTORS


@pytest.mark.clause("MF-14")
def test_a_refresh_makes_nothing_better(world, ada, app):
    shop = world.app("Offline", scope="openid offline_access")
    browser = world.browser()
    page = browser.follow(shop.ask(browser))
    page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password="correct horse battery staple"))
    token, tokens = claims(shop, confirm(browser, page, app.code()))
    fresh = shop.refresh(tokens["refresh_token"]).json()
    again = shop.verified(fresh["id_token"], typ="JWT", audience=shop.client_id) if "id_token" in fresh else token
    assert (again["acr"], again["amr"], again["auth_time"]) == (token["acr"], token["amr"], token["auth_time"])


def test_two_requests_in_two_tabs_are_both_answered(world, shop, ada, app, browser):
    first = browser.follow(shop.ask(browser))
    tab_one = shop.last
    second = browser.follow(shop.ask(browser))
    code_page = browser.follow(
        browser.submit(first, button="login-submit", login="ada@example.org", password="correct horse battery staple")
    )
    assert "second-factor-submit" in code_page.text
    done = confirm(browser, code_page, app.code())
    assert shop.arrive(done, tab_one)["code"]
    interaction = second.form(having="login-submit").fields["interaction"]
    assert shop.arrive(browser.follow(browser.get(f"/authorize/resume?interaction={interaction}")))["code"]
