"""RFC 8707 and RFC 9068: which service a token is for, and what it says."""

from __future__ import annotations

import pytest

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

ONE, TWO = "https://one.example/", "https://two.example/api"


@pytest.fixture
def app(world):
    return world.app(resources=[ONE, TWO])


@pytest.mark.parametrize(
    ("asked", "narrowed", "audience"),
    [
        case("RFC 9068 3", "nothing: the provider itself", None, None, ["{op}"]),
        case("RFC 8707 2", "one, with openid: userinfo too", [ONE], None, [ONE, "{op}"]),
        case("RFC 8707 2", "two", [ONE, TWO], None, [ONE, TWO, "{op}"]),
        case("RFC 8707 2.2", "two, narrowed to one", [ONE, TWO], [TWO], [TWO]),
        case("RFC 8707 2", "one twice", [ONE, ONE], [ONE, ONE], [ONE]),
    ],
)
def test_the_audience(app, ada, browser, asked, narrowed, audience):
    code = app.code(browser, resource=asked)
    token = app.redeem(code, resource=narrowed).json()["access_token"]
    found = app.verified(token, typ="at+jwt")["aud"]
    assert (found if isinstance(found, list) else [found]) == [app.issuer if value == "{op}" else value for value in audience]


@pytest.mark.parametrize(
    "resource",
    [
        case("RFC 8707 2", "not registered", "https://three.example/"),
        case("RFC 8707 2", "one of two", [ONE, "https://three.example/"]),
        case("RFC 8707 2", "relative", "/api"),
        case("RFC 8707 2", "fragment", f"{ONE}#x"),
        case("RFC 8707 2", "almost", ONE.rstrip("/")),
    ],
)
def test_out_of_reach(app, ada, browser, resource):
    answer = app.ask(browser, resource=resource)
    refused.redirect(answer, "invalid_target", to=CALLBACK, state=app.last.state, issuer=app.issuer)
    code = app.code(browser)
    refused.as_json(app.redeem(code, resource=resource), "invalid_target")


@clause("RFC 8707 2.2")
def test_never_more_at_the_token_endpoint(app, ada, browser):
    code = app.code(browser, resource=ONE)
    refused.as_json(app.redeem(code, resource=TWO), "invalid_target")


@clause("RFC 8707 2.2")
def test_refreshing_narrows_for_this_token_only(app, ada, browser):
    code = app.code(browser, resource=[ONE, TWO])
    token = app.redeem(code).json()["refresh_token"]
    answer = app.refresh(token, resource=TWO).json()
    assert app.verified(answer["access_token"], typ="at+jwt")["aud"] == TWO
    answer = app.refresh(answer["refresh_token"]).json()
    assert app.verified(answer["access_token"], typ="at+jwt")["aud"] == [ONE, TWO, app.issuer]


@clause("RFC 8707 2", "OIDC Core 3.1.2.4")
def test_a_resource_needs_consent(app, ada, browser):
    app.code(browser)
    answer = app.ask(browser, resource=ONE, prompt="none")
    refused.redirect(answer, "consent_required", to=CALLBACK, state=app.last.state, issuer=app.issuer)


@clause("RFC 8707 2.2")
def test_services_ask_too(world):
    service = world.app("Robot", type="service", resources=[ONE, TWO])
    every = service.call("/token", {"grant_type": "client_credentials"}).json()["access_token"]
    assert set(service.verified(every, typ="at+jwt")["aud"]) == {ONE, TWO}
    one = service.call("/token", {"grant_type": "client_credentials", "resource": ONE}).json()["access_token"]
    assert service.verified(one, typ="at+jwt")["aud"] == ONE
    refused.as_json(service.call("/token", {"grant_type": "client_credentials", "resource": "https://three.example/"}), "invalid_target")


@clause("RFC 9068 2.1", "RFC 9068 2.2")
def test_what_an_access_token_says(app, ada, browser):
    token = app.tokens(browser, scope="openid email")["access_token"]
    claims = app.verified(token, typ="at+jwt", audience=app.issuer)
    assert set(claims) == {"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "fid", "auth_time", "acr", "amr"}
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (str(ada.pk), app.client_id, "openid email")
    other = app.verified(app.tokens(browser)["access_token"], typ="at+jwt")
    assert other["jti"] != claims["jti"]


@clause("RFC 9068 4", "OIDC Registration 2")
def test_lifetime_by_client(world, ada, browser):
    app = world.app(access_token_seconds=30)
    tokens = app.tokens(browser)
    claims = app.verified(tokens["access_token"], typ="at+jwt")
    assert (tokens["expires_in"], claims["exp"] - claims["iat"]) == (30, 30)
