"""What a client, the deployment and a group ask at the authorization endpoint, whatever the app sent (OpenID Connect Core 3.1.2.1, RFC 9470)."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings

from idp.access import groups
from idp.sessions.assurance import ONE_FACTOR, TWO_FACTORS
from tests.support.authenticator import App, enrol
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(monkeypatch):
    def change(**values):
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))

    return change


@pytest.fixture
def vault(world):
    """An app that lets nobody in with a password alone."""
    return world.app("Vault", min_acr=TWO_FACTORS)


def shown_app(page) -> App:
    return App(re.search(r'id="manual-key">([A-Z2-7 ]+)<', page.text)[1])


def through(browser, answer):
    while answer.status == 200 and ("codes-kept" in answer.text or "consent-allow" in answer.text):
        answer = browser.follow(browser.submit(answer, button="codes-kept" if "codes-kept" in answer.text else "consent-allow"))
    return answer


def claims(app, answer):
    tokens = app.redeem(app.arrive(answer)["code"]).json()
    return app.id_token(tokens["id_token"], nonce=app.last.nonce)


class TestTheClients:
    def test_a_running_session_steps_up(self, world, vault, signed_in, ada):
        app = enrol(ada)
        page = signed_in.follow(vault.ask(signed_in))
        assert "second-factor-submit" in page.text
        token = claims(vault, through(signed_in, signed_in.follow(signed_in.submit(page, button="second-factor-submit", code=app.code()))))
        assert (token["acr"], token["amr"]) == (TWO_FACTORS, ["pwd", "otp", "mfa"])

    def test_who_has_nothing_sets_it_up_on_the_way(self, world, vault, signed_in):
        page = signed_in.follow(vault.ask(signed_in))
        assert "enrol-submit" in page.text
        assert "enrol-later" not in page.text, "an app waits for nobody"
        app = shown_app(page)
        wrong = signed_in.follow(signed_in.submit(page, button="enrol-submit", code=app.wrong()))
        assert wrong.status == 400
        codes = signed_in.follow(signed_in.submit(wrong, button="enrol-submit", code=app.code()))
        assert "codes-kept" in codes.text
        token = claims(vault, through(signed_in, codes))
        assert (token["acr"], token["amr"]) == (TWO_FACTORS, ["pwd", "otp", "mfa"])

    def test_from_the_very_beginning(self, world, vault, ada, browser):
        page = browser.follow(vault.ask(browser))
        page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
        assert "enrol-submit" in page.text
        page = browser.follow(browser.submit(page, button="enrol-submit", code=shown_app(page).code()))
        assert claims(vault, through(browser, page))["acr"] == TWO_FACTORS

    @pytest.mark.clause("BR-06")
    def test_an_old_session_proves_itself_before_it_sets_something_up(self, world, vault, signed_in):
        with time_machine.travel(time.time() + 301, tick=True):
            page = signed_in.follow(vault.ask(signed_in))
            assert "login-submit" in page.text
            page = signed_in.follow(signed_in.submit(page, button="login-submit", password=PASSWORD))
            assert "enrol-submit" in page.text
            page = signed_in.follow(signed_in.submit(page, button="enrol-submit", code=shown_app(page).code()))
            assert claims(vault, through(signed_in, page))["acr"] == TWO_FACTORS

    @pytest.mark.parametrize("prompt", [None, "none"])
    def test_or_is_refused_where_the_app_would_rather(self, world, signed_in, prompt):
        strict = world.app("Strict", min_acr=TWO_FACTORS, enrolment="block")
        answer = signed_in.follow(strict.ask(signed_in, prompt=prompt))
        assert strict.arrive(answer)["error"] == "unmet_authentication_requirements"

    def test_what_our_pages_cannot_set_up_is_refused(self, world, signed_in, ada):
        from idp.mfa import policy

        enrol(ada)
        strict = world.app("Strict", min_acr="phrh")
        assert not policy.can_be_set_up("phrh")
        answer = signed_in.follow(strict.ask(signed_in))
        assert strict.arrive(answer)["error"] == "unmet_authentication_requirements"

    def test_prompt_none_is_never_asked(self, world, vault, signed_in, ada):
        assert vault.arrive(signed_in.follow(vault.ask(signed_in, prompt="none")))["error"] == "interaction_required"
        enrol(ada)
        assert vault.arrive(signed_in.follow(vault.ask(signed_in, prompt="none")))["error"] == "login_required"

    def test_no_weaker_wish_undercuts_it(self, world, vault, signed_in, ada):
        enrol(ada)
        weak = json.dumps({"id_token": {"acr": {"essential": True, "value": ONE_FACTOR}}})
        for wish in ({"acr_values": ONE_FACTOR}, {"claims": weak}):
            assert "second-factor-submit" in signed_in.follow(vault.ask(signed_in, **wish)).text

    def test_an_essential_wish_that_setting_up_would_not_meet(self, world, vault, signed_in):
        strong = json.dumps({"id_token": {"acr": {"essential": True, "value": "phrh"}}})
        answer = signed_in.follow(vault.ask(signed_in, claims=strong))
        assert vault.arrive(answer)["error"] == "unmet_authentication_requirements"

    @pytest.mark.clause("MF-11")
    def test_a_factor_that_is_gone_opens_nothing(self, world, vault, signed_in, ada):
        from idp.mfa.models import TotpDevice

        app = enrol(ada)
        page = signed_in.follow(vault.ask(signed_in))
        through(signed_in, signed_in.follow(signed_in.submit(page, button="second-factor-submit", code=app.code())))
        page = signed_in.get(f"/account/security/authenticator/{TotpDevice.objects.get().pk}")
        signed_in.submit(page, button="remove-submit", decision="remove")
        assert TotpDevice.objects.count() == 0
        assert "enrol-submit" in signed_in.follow(vault.ask(signed_in)).text


class TestTheDeploymentsAndGroups:
    def test_a_session_from_before_is_asked_at_the_next_app(self, world, shop, signed_in, ada, policy):
        app = enrol(ada)
        policy(min_acr=TWO_FACTORS)
        page = signed_in.follow(shop.ask(signed_in))
        assert "second-factor-submit" in page.text
        answer = through(signed_in, signed_in.follow(signed_in.submit(page, button="second-factor-submit", code=app.code())))
        assert claims(shop, answer)["acr"] == TWO_FACTORS

    def test_who_has_nothing_may_put_it_off_and_is_asked_when_the_time_is_over(self, world, shop, signed_in, ada, policy):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=3)
        assert shop.arrive(signed_in.follow(shop.ask(signed_in, prompt="none")))["code"], "nobody's first time is under prompt=none"
        page = signed_in.follow(shop.ask(signed_in))
        assert "enrol-later" in page.text
        answer = signed_in.follow(signed_in.submit(page, button="enrol-later", decision="later"))
        assert claims(shop, answer)["acr"] == ONE_FACTOR
        assert shop.arrive(signed_in.follow(shop.ask(signed_in)))["code"], "not at every turn"
        with time_machine.travel(time.time() + timedelta(days=4).total_seconds(), tick=True):
            assert shop.arrive(signed_in.follow(shop.ask(signed_in, prompt="none")))["error"] == "interaction_required"
            page = signed_in.follow(shop.ask(signed_in))
            page = signed_in.follow(signed_in.submit(page, button="login-submit", password=PASSWORD))
            assert "enrol-submit" in page.text
            assert "enrol-later" not in page.text

    def test_a_group(self, world, shop, signed_in, ada, policy):
        policy(enrolment_grace_days=0)
        group = groups.create(name="vault", min_acr=TWO_FACTORS)
        assert shop.arrive(signed_in.follow(shop.ask(signed_in)))["code"]
        groups.add(group, ada)
        assert "enrol-submit" in signed_in.follow(shop.ask(signed_in)).text


class TestTrustedBrowsers:
    @pytest.fixture
    def trusting(self, world, shop, ada):
        """A browser that Ada trusts, in a session that passed by that."""
        app = enrol(ada)
        browser = world.browser()
        page = browser.follow(shop.ask(browser))
        page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
        through(browser, browser.follow(browser.submit(page, button="second-factor-submit", code=app.code(), trust="1")))
        browser.submit(browser.get("/logout"), button="logout-confirm")
        page = browser.follow(shop.ask(browser))
        browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
        return browser

    @pytest.mark.clause("MF-14")
    def test_it_never_raises_acr(self, world, shop, trusting):
        token = claims(shop, trusting.follow(shop.ask(trusting)))
        assert (token["acr"], token["amr"]) == (ONE_FACTOR, ["pwd"])

    def test_a_strict_app_asks_all_the_same(self, world, vault, trusting):
        assert "second-factor-submit" in trusting.follow(vault.ask(trusting)).text

    def test_an_app_may_take_it_and_sees_the_truth(self, world, trusting):
        easy = world.app("Easy", min_acr=TWO_FACTORS, allow_trusted_browser=True)
        token = claims(easy, through(trusting, trusting.follow(easy.ask(trusting))))
        assert (token["acr"], token["amr"]) == (ONE_FACTOR, ["pwd"])

    def test_it_is_enough_for_the_deployment_until_it_ends(self, world, shop, trusting, ada, policy):
        policy(min_acr=TWO_FACTORS)
        assert shop.arrive(trusting.follow(shop.ask(trusting)))["code"]
        from idp.mfa import trust

        trust.end(ada)
        assert "second-factor-submit" in trusting.follow(shop.ask(trusting)).text


def test_the_snapshot_travels_and_is_never_raised(world, ada):
    """MF-14: code, family, ID token, access token (JWT and opaque), introspection, refreshed tokens say the same, also after a step-up."""
    app = enrol(ada)
    for kind in ("jwt", "opaque"):
        shop = world.app(f"Shop {kind}", scope="openid offline_access", access_token_format=kind, resources=["https://api.example/"])
        browser = world.browser()
        page = browser.follow(shop.ask(browser))
        with time_machine.travel(time.time(), tick=True):
            page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
            answer = through(browser, browser.follow(browser.submit(page, button="second-factor-submit", code=app.code())))
        tokens = shop.redeem(shop.arrive(answer)["code"]).json()
        token = shop.id_token(tokens["id_token"], nonce=shop.last.nonce)
        snapshot = {name: token[name] for name in ("acr", "amr", "auth_time")}
        assert snapshot["acr"] == TWO_FACTORS
        from idp.mfa.models import TotpDevice
        from idp.oidc.models import AuthorizationCode, TokenFamily

        TotpDevice.objects.update(last_step=-1)
        for row in (AuthorizationCode.objects.order_by("created_at").last(), TokenFamily.objects.order_by("created_at").last()):
            assert {"acr": row.acr, "amr": row.amr, "auth_time": int(row.auth_time.timestamp())} == snapshot
        for _ in range(2):
            shown = shop.call("/introspect", {"token": tokens["access_token"]}).json()
            assert {name: shown[name] for name in snapshot} == snapshot
            if kind == "jwt":
                inside = shop.verified(tokens["access_token"], typ="at+jwt")
                assert {name: inside[name] for name in snapshot} == snapshot
            tokens = shop.refresh(tokens["refresh_token"]).json()


def test_a_reset_ends_refresh_tokens_at_once(world, ada):
    """Refresh families and the access tokens of before end with the factors."""
    from idp.mfa import reset

    app = enrol(ada)
    shop = world.app("Offline", scope="openid offline_access")
    browser = world.browser()
    page = browser.follow(shop.ask(browser))
    page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
    answer = through(browser, browser.follow(browser.submit(page, button="second-factor-submit", code=app.code())))
    tokens = shop.redeem(shop.arrive(answer)["code"]).json()
    reset.ask(ada, reason="Lost", source="command")
    assert shop.refresh(tokens["refresh_token"]).status == 400
    assert shop.call("/introspect", {"token": tokens["access_token"]}).json() == {"active": False}


class TestDefaultAcrValues:
    """OpenID Connect Registration 2: what a client wishes for where a request names nothing."""

    def test_they_are_a_wish(self, world, signed_in, ada):
        wishing = world.app("Wishing", default_acr_values=[TWO_FACTORS])
        assert claims(wishing, through(signed_in, signed_in.follow(wishing.ask(signed_in))))["acr"] == ONE_FACTOR
        enrol(ada)
        assert "second-factor-submit" in signed_in.follow(wishing.ask(signed_in)).text

    def test_a_request_overrides_them(self, world, signed_in, ada):
        wishing = world.app("Wishing", default_acr_values=[TWO_FACTORS])
        enrol(ada)
        answer = through(signed_in, signed_in.follow(wishing.ask(signed_in, acr_values=ONE_FACTOR)))
        assert claims(wishing, answer)["acr"] == ONE_FACTOR


class TestGroupsClaim:
    @pytest.fixture
    def member(self, ada):
        for name in ("team/finance", "everybody"):
            groups.add(groups.create(name=name), ada)
        groups.create(name="others")
        return ada

    def test_under_its_scope_at_userinfo(self, world, member, browser):
        app = world.app("Intranet", registered_scope="openid groups", scope="openid groups")
        tokens = app.tokens(browser)
        assert app.userinfo(tokens["access_token"]).json()["groups"] == ["everybody", "team/finance"]
        assert "groups" not in app.id_token(tokens["id_token"], nonce=app.last.nonce)

    def test_by_name_in_the_id_token(self, world, member, browser):
        app = world.app("Intranet", registered_scope="openid groups")
        tokens = app.tokens(browser, claims=json.dumps({"id_token": {"groups": None}}))
        assert app.id_token(tokens["id_token"], nonce=app.last.nonce)["groups"] == ["everybody", "team/finance"]

    def test_nothing_for_an_app_that_is_not_registered_for_it(self, world, member, shop, browser):
        assert shop.arrive(browser.follow(shop.ask(browser, scope="openid groups")))["error"] == "invalid_scope"
        tokens = shop.tokens(browser, claims=json.dumps({"userinfo": {"groups": {"essential": True}}}))
        assert "groups" not in shop.userinfo(tokens["access_token"]).json()

    def test_the_person_is_told(self, world, member, browser):
        app = world.app("Intranet", registered_scope="openid groups", scope="openid groups")
        page = browser.follow(app.ask(browser))
        page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
        assert "The groups that you are in" in page.text
