"""OIDC Core 5.3 and RFC 6750: userinfo, through both doors."""

from __future__ import annotations

import pytest
import time_machine

from tests.support import refused
from tests.support.browser import FORM
from tests.support.clauses import case, clause

EVERYTHING = {
    "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King", "nickname": "Countess",
    "preferred_username": "ada", "profile": "https://ada.example/", "picture": "https://ada.example/p.png",
    "website": "https://ada.example/w", "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB",
    "address": {"formatted": "12 St James's Square", "country": "UK"}, "phone_number": "+44 20 7946 0000", "phone_number_verified": True,
}  # fmt: skip
OF_SCOPE = {
    "openid": {"sub"},
    "profile": set(EVERYTHING) - {"address", "phone_number", "phone_number_verified"} | {"updated_at"},
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}


@pytest.mark.parametrize(
    "scope", ["openid", "openid profile", "openid email", "openid address", "openid phone", "phone email profile address openid"]
)
@clause("OIDC Core 5.4", "OIDC Core 5.3.2", "hostile case TK-16")
def test_the_claims_of_the_granted_scopes(world, shop, browser, scope):
    ada = world.person(claims=EVERYTHING)
    answer = shop.userinfo(shop.tokens(browser, scope=scope)["access_token"])
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    claims = answer.json()
    assert set(claims) == set().union(*(OF_SCOPE[name] for name in scope.split()))
    assert claims["sub"] == str(ada.pk)
    for name, value in claims.items():
        assert value not in (None, "")
        if name in EVERYTHING:
            assert value == EVERYTHING[name]
    assert isinstance(claims.get("updated_at", 0), int)
    assert claims.get("email_verified", True) is True


@clause("OIDC Core 5.3.1", "RFC 6750 2.1", "RFC 6750 2.2")
def test_every_way_to_send_the_token(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    expected = {"sub": str(ada.pk)}
    assert shop.userinfo(token).json() == expected
    assert shop.channel.get("/userinfo", Authorization=f"bEARER {token}").json() == expected
    assert shop.channel.request("POST", "/userinfo", headers={"Authorization": f"Bearer {token}"}).json() == expected
    assert shop.channel.post("/userinfo", {}, Authorization=f"Bearer {token}").json() == expected
    assert shop.channel.post("/userinfo", {"access_token": token}).json() == expected
    head = shop.channel.request("HEAD", "/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert (head.status, head.body) == (200, b"")


@clause("RFC 6750 3.1")
def test_without_a_token_the_challenge_names_no_error(shop):
    for answer in (shop.channel.get("/userinfo"), shop.channel.post("/userinfo", {}), shop.channel.post("/userinfo", {"access_token": ""})):
        refused.challenge(answer, None)


@clause("RFC 9700 4.3.2", "RFC 6750 2.3", "hostile case TK-03")
def test_a_token_in_the_query_does_not_count(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    refused.challenge(shop.channel.get(f"/userinfo?access_token={token}"), None)


@clause("RFC 6750 2", "hostile case TK-04")
def test_a_token_sent_twice(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    both = shop.channel.post("/userinfo", {"access_token": token}, Authorization=f"Bearer {token}")
    refused.challenge(both, "invalid_request", status=400)
    twice = shop.channel.post("/userinfo", [("access_token", token), ("access_token", token)])
    refused.challenge(twice, "invalid_request", status=400)


@pytest.mark.parametrize(
    "header",
    [
        case("RFC 6750 2.1", "tab instead of space", "Bearer\tabc"),
        case("RFC 6750 2.1", "nothing behind", "Bearer"),
        case("RFC 6750 2.1", "a space behind", "Bearer "),
        case("RFC 6750 2.1", "two spaces", "Bearer  abc"),
        case("RFC 6750 2.1", "two values", "Bearer abc, Bearer abc"),
        case("RFC 6750 2.1", "another scheme", "Basic YWJjOmRlZg=="),
        case("RFC 6750 2.1", "DPoP", "DPoP abc"),
        case("RFC 6750 2.1", "empty", ""),
        case("RFC 6750 2.1", "only dots", "Bearer ..."),
        case("RFC 6750 2.1", "four dots", "Bearer a.b.c.d.e"),
        case("RFC 6750 2.1", "not base64url", "Bearer !!.??.##"),
        case("RFC 6750 2.1", "beyond ASCII", "Bearer äöü.äöü.äöü"),
        case("hostile case PX-12", "1 MB", "Bearer " + "a" * 1_000_000),
        case("hostile case PX-12", "JSON that is no object", "Bearer W10.W10.W10"),
        case("hostile case PX-12", "deep JSON", "Bearer W1tbW1tbW1tb.W1tbW1tb.W1tb"),
        case("hostile case PX-12", "sealed by nobody", "Bearer opaque_AAAA"),
        case("hostile case PX-12", "sealed, empty", "Bearer opaque_"),
    ],
)
@clause("hostile case TK-05")
def test_a_header_that_is_no_token(shop, header):
    answer = shop.channel.get("/userinfo", Authorization=header)
    assert answer.status == 401
    refused.challenge(answer, "invalid_token")


@clause("RFC 6750 3.1")
def test_expired(shop, ada, browser):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        token = shop.tokens(browser)["access_token"]
        clock.shift(299)
        assert shop.userinfo(token).status == 200
        clock.shift(1)
        refused.challenge(shop.userinfo(token), "invalid_token")


@clause("RFC 6750 3.1", "OIDC Core 5.3.1")
def test_a_service_has_no_userinfo(world):
    service = world.app("Robot", type="service")
    token = service.call("/token", {"grant_type": "client_credentials"}).json()["access_token"]
    refused.challenge(service.userinfo(token), "insufficient_scope", status=403)


@clause("RFC 9068 4", "RFC 8707 3")
def test_a_token_for_another_resource(world, ada, browser):
    app = world.app(resources=["https://api.example/"])
    code = app.code(browser, resource="https://api.example/")
    token = app.redeem(code, resource="https://api.example/").json()["access_token"]
    refused.challenge(app.userinfo(token), "invalid_token")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
@clause("OIDC Core 5.3", "hostile case PX-13")
def test_other_methods(shop, method):
    assert shop.channel.request(method, "/userinfo").status == 405


@pytest.mark.parametrize(
    "body", [b"access_token=%zz", b"access_token=%00", "access_token=ä".encode(), b"a=b&" * 5000, b"access_token=" + b"x" * 70_000]
)
@clause("RFC 6750 3.1", "hostile case PX-07")
def test_a_body_that_is_no_form(shop, body):
    answer = shop.channel.request("POST", "/userinfo", body=body, headers={"Content-Type": FORM})
    assert answer.status in (400, 413)


@clause("RFC 6749 1.4")
def test_opaque_tokens_work_alike(world, ada, browser):
    app = world.app(access_token_format="opaque")
    token = app.tokens(browser)["access_token"]
    assert token.startswith("opaque_")
    assert str(ada.pk) not in token
    assert app.userinfo(token).json() == {"sub": str(ada.pk)}
    for changed in (token[:-4] + "AAAA", token.replace("opaque_", ""), token + "A"):
        refused.challenge(app.userinfo(changed), "invalid_token")
