"""RFC 7009: revocation, through both doors."""

from __future__ import annotations

import pytest

from tests.support import refused
from tests.support.clauses import clause


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
@clause("RFC 7009 2.1", "hostile case TK-13")
def test_any_token_ends_the_pair(shop, ada, browser, which, hint):
    """2.1: the hint is only a hint."""
    tokens = shop.tokens(browser)
    answer = shop.call("/revoke", {"token": tokens[which], "token_type_hint": hint})
    assert (answer.status, answer.body, answer.header("Cache-Control")) == (200, b"", "no-store")
    refused.challenge(shop.userinfo(tokens["access_token"]), "invalid_token")
    refused.as_json(shop.refresh(tokens["refresh_token"]), "invalid_grant")
    assert shop.call("/revoke", {"token": tokens[which]}).status == 200  # 2.2: again is no error


@clause("RFC 7009 2.1")
def test_a_token_that_was_rotated_still_ends_its_family(shop, ada, browser):
    first = shop.tokens(browser)["refresh_token"]
    second = shop.refresh(first).json()["refresh_token"]
    assert shop.call("/revoke", {"token": first}).status == 200
    refused.as_json(shop.refresh(second), "invalid_grant")


@clause("RFC 7009 2.2")
def test_one_family_is_not_another(world, shop, ada, browser):
    first, second = shop.tokens(browser), shop.tokens(browser)
    shop.call("/revoke", {"token": first["refresh_token"]})
    assert shop.userinfo(second["access_token"]).status == 200


@pytest.mark.parametrize("token", ["junk", "x" * 65, "x" * 15_000, "eyJhbGciOiJub25lIn0.e30.", "äöü"])
@clause("RFC 7009 2.2")
def test_what_is_no_token_is_revoked_already(shop, token):
    assert shop.call("/revoke", {"token": token}).status == 200


@clause("RFC 7009 2.1", "hostile case TK-12")
def test_tokens_of_others_stay_untouched(world, shop, ada, browser):
    tokens, other = shop.tokens(browser), world.app("Other")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert other.call("/revoke", {"token": token}).status == 200
    assert shop.userinfo(tokens["access_token"]).status == 200
    assert shop.refresh(tokens["refresh_token"]).status == 200


@clause("RFC 7009 2.1")
def test_the_token_of_a_service(world):
    service = world.app("Robot", type="service")
    first, second = (service.call("/token", {"grant_type": "client_credentials"}).json()["access_token"] for _ in range(2))
    for _ in range(2):
        assert service.call("/revoke", {"token": first}).status == 200
    assert service.call("/introspect", {"token": first}).json() == {"active": False}
    assert service.call("/introspect", {"token": second}).json()["active"] is True


@clause("RFC 7009 2.1", "hostile case CA-24")
def test_the_caller_authenticates(world, shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    refused.as_json(shop.channel.post("/revoke", {"token": token}), "invalid_client", status=401)
    refused.as_json(shop.channel.post("/revoke", {"token": token, "client_id": shop.client_id}), "invalid_client", status=401)
    refused.as_json(shop.call("/revoke", {}), "invalid_request", code="token-missing")
    assert shop.refresh(token).status == 200


@clause("RFC 7009 5")
def test_a_public_client_revokes_its_own(world, ada, browser):
    spa = world.app(type="spa")
    token = spa.tokens(browser)["refresh_token"]
    assert spa.call("/revoke", {"token": token}).status == 200
    refused.as_json(spa.refresh(token), "invalid_grant")
