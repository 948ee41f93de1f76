"""RFC 6749 6, RFC 9700 4.14, OIDC Core 12: refresh tokens rotate, a replay ends the family."""

from __future__ import annotations

import pytest
import time_machine
from django.conf import settings

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.world import CALLBACK

NOON = "2027-01-01T12:00:00Z"
OVERLAP = settings.IDP.refresh_token_overlap_seconds


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@clause("OIDC Core 12.2", "RFC 6749 6")
def test_new_tokens_of_the_same_authentication(clock, shop, ada, browser):
    before = shop.tokens(browser, scope="openid email")
    clock.shift(120)
    answer = shop.refresh(before["refresh_token"])
    assert answer.status == 200
    assert answer.header("Cache-Control") == "no-store"
    after = answer.json()
    assert after["refresh_token"] != before["refresh_token"]
    assert after["scope"] == "openid email"
    old, new = shop.id_token(before["id_token"], nonce=shop.last.nonce), shop.id_token(after["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "acr", "amr", "sid"):
        assert new[name] == old[name]
    assert new["iat"] == old["iat"] + 120
    assert "nonce" not in new
    assert shop.userinfo(after["access_token"]).status == 200


@clause("RFC 9700 4.14.2", "hostile case RF-01")
def test_a_replay_after_the_overlap_ends_the_family(clock, shop, ada, browser):
    first = shop.tokens(browser)
    second = shop.refresh(first["refresh_token"]).json()
    clock.shift(OVERLAP + 1)
    refused.as_json(shop.refresh(first["refresh_token"]), "invalid_grant", code="refresh-token-replayed")
    refused.as_json(shop.refresh(second["refresh_token"]), "invalid_grant")
    refused.challenge(shop.userinfo(second["access_token"]), "invalid_token")


@clause("RFC 9700 4.14.2")
def test_parallel_tabs_get_the_same_successor(clock, shop, ada, browser):
    first = shop.tokens(browser)["refresh_token"]
    second = shop.refresh(first).json()["refresh_token"]
    clock.shift(OVERLAP)
    assert shop.refresh(first).json()["refresh_token"] == second
    assert shop.refresh(second).status == 200


@clause("RFC 9700 4.14.2", "hostile case RF-04")
def test_two_generations_old_ends_the_family_even_within_the_overlap(clock, shop, ada, browser):
    first = shop.tokens(browser)["refresh_token"]
    second = shop.refresh(first).json()["refresh_token"]
    third = shop.refresh(second).json()["refresh_token"]
    refused.as_json(shop.refresh(first), "invalid_grant", code="refresh-token-replayed")
    refused.as_json(shop.refresh(third), "invalid_grant")


@clause("RFC 7009 2.1", "hostile case RF-03")
def test_a_revoked_token_gets_nothing_within_the_overlap(clock, shop, ada, browser):
    first = shop.tokens(browser)["refresh_token"]
    second = shop.refresh(first).json()["refresh_token"]
    assert shop.call("/revoke", {"token": second}).status == 200
    for token in (first, second):
        refused.as_json(shop.refresh(token), "invalid_grant")


@clause("RFC 6749 6", "hostile case RF-05")
def test_another_client_gets_nothing_and_harms_nothing(world, shop, ada, browser):
    other = world.app("Other")
    token = shop.tokens(browser)["refresh_token"]
    refused.as_json(other.refresh(token), "invalid_grant", code="refresh-token-invalid")
    assert shop.refresh(token).status == 200


@clause("RFC 6749 6")
def test_a_public_client_is_bound_by_rotation_and_its_own_name(world, ada, browser):
    spa = world.app(type="spa", scope="openid offline_access")
    other = world.app("Other", type="spa")
    token = spa.tokens(browser)["refresh_token"]
    refused.as_json(other.refresh(token), "invalid_grant")
    assert spa.refresh(token).status == 200


SCOPES = [
    case("RFC 6749 6", "fewer", "openid", 200, "openid"),
    case("RFC 6749 6", "the same in another order", "email openid", 200, "email openid"),
    case("RFC 6749 6", "more than granted", "openid email phone", 400, None),
    case("RFC 6749 6", "unknown", "openid nonsense", 400, None),
    case("RFC 6749 6", "without openid: no ID token", "email", 200, "email"),
]


@pytest.mark.parametrize(("scope", "status", "granted"), SCOPES)
def test_scopes_narrow_and_never_widen(shop, ada, browser, scope, status, granted):
    token = shop.tokens(browser, scope="openid email")["refresh_token"]
    answer = shop.refresh(token, scope=scope)
    if status == 400:
        refused.as_json(answer, "invalid_scope")
        assert shop.refresh(token).status == 200  # a refused request loses nothing
        return
    assert answer.json()["scope"] == granted
    assert ("id_token" in answer.json()) == ("openid" in granted)
    assert shop.refresh(answer.json()["refresh_token"]).json()["scope"] == "openid email"  # the grant itself did not shrink


@clause("RFC 9700 4.14.2", "hostile case RF-08")
def test_idle_life(clock, shop, ada, browser):
    token = shop.tokens(browser, scope="openid offline_access")["refresh_token"]
    clock.shift(settings.IDP.refresh_token_idle_seconds - 1)
    token = shop.refresh(token).json()["refresh_token"]
    clock.shift(settings.IDP.refresh_token_idle_seconds)
    refused.as_json(shop.refresh(token), "invalid_grant", code="refresh-token-invalid")


@clause("RFC 9700 4.14.2", "hostile case RF-08")
def test_absolute_life(clock, shop, ada, browser):
    token = shop.tokens(browser, scope="openid offline_access")["refresh_token"]
    step = settings.IDP.refresh_token_idle_seconds - 1
    for _ in range(settings.IDP.refresh_token_absolute_seconds // step):
        clock.shift(step)
        token = shop.refresh(token).json()["refresh_token"]
    clock.shift(step)
    refused.as_json(shop.refresh(token), "invalid_grant", code="refresh-token-invalid")


def disable(user):
    from idp.accounts import people

    people.disable(user)


def new_password(user):
    from idp.accounts import people

    people.set_password(user, "another long and quiet password")


def take_consent_back(user):
    from idp.consent.models import Consent
    from idp.oidc.revocation.consent import take_back

    assert take_back(user=user, client_id=Consent.objects.get(user=user).client_id)


def erase(user):
    user.delete()


ENDINGS = [
    case("hostile case RF-09", "disabled", disable),
    case("hostile case RF-09", "password changed", new_password),
    case("hostile case TK-11", "consent taken back", take_consent_back),
    case("hostile case RF-09", "erased", erase),
]


@pytest.mark.parametrize("end", ENDINGS)
@clause("hostile case TK-15", "hostile case CO-07", "hostile case RF-14")
def test_what_happens_to_the_person_ends_the_tokens_and_codes(world, shop, ada, browser, end):
    """At once, on every path: code, refresh token, userinfo, introspection."""
    tokens = shop.tokens(browser, scope="openid offline_access")
    code = shop.code(browser, scope="openid offline_access")
    end(ada)
    refused.as_json(shop.redeem(code), "invalid_grant")
    refused.as_json(shop.refresh(tokens["refresh_token"]), "invalid_grant")
    refused.challenge(shop.userinfo(tokens["access_token"]), "invalid_token")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert shop.call("/introspect", {"token": token}).json() == {"active": False}


@clause("OIDC Core 11")
def test_without_offline_access_signing_out_ends_it(shop, ada, browser):
    tokens = shop.tokens(browser)
    browser.submit(browser.visit("/logout"), button="logout-confirm")
    refused.as_json(shop.refresh(tokens["refresh_token"]), "invalid_grant")
    refused.challenge(shop.userinfo(tokens["access_token"]), "invalid_token")


@clause("OIDC Core 11")
def test_with_offline_access_it_outlives_the_session(shop, ada, browser):
    tokens = shop.tokens(browser, scope="openid offline_access")
    browser.submit(browser.visit("/logout"), button="logout-confirm")
    assert shop.refresh(tokens["refresh_token"]).status == 200


@clause("OIDC Core 11", "hostile case BR-17")
def test_without_offline_access_it_ends_when_the_session_does(clock, shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    step = settings.IDP.session_idle_seconds - 1
    for _ in range(settings.IDP.session_absolute_seconds // step):
        clock.shift(step)
        token = shop.refresh(token).json()["refresh_token"]
    clock.shift(step)
    refused.as_json(shop.refresh(token), "invalid_grant", code="refresh-token-invalid")


@clause("OIDC Core 11", "hostile case BR-17")
def test_without_offline_access_it_ends_when_nobody_is_there(clock, shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    clock.shift(settings.IDP.session_idle_seconds)
    refused.as_json(shop.refresh(token), "invalid_grant", code="refresh-token-invalid")


@clause("hostile case RF-10")
@pytest.mark.parametrize(
    "change",
    [
        {"grant_types": ["authorization_code"]},
        {"scope": "openid email"},
    ],
    ids=["grant", "offline_access"],
)
def test_what_the_client_lost_since(world, shop, ada, browser, change):
    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    token = shop.tokens(browser, scope="openid offline_access")["refresh_token"]
    registry.update(Client.objects.get(client_id=shop.client_id), change)
    assert shop.refresh(token).status == 400


@clause("OIDC Core 11")
def test_no_refresh_token_without_the_grant(world, ada, browser):
    app = world.app(grant_types=["authorization_code"], redirect_uris=[CALLBACK])
    assert "refresh_token" not in app.tokens(browser)
