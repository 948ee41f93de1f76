"""Fetch and RFC 9700 2.6: which pages may call us, through both doors."""

from __future__ import annotations

import pytest

from tests.support.clauses import clause

SPA, EVIL = "https://spa.example", "https://evil.example"


@pytest.fixture
def spa(world):
    return world.app(type="spa", allowed_origins=[SPA])


def allowed(answer):
    assert answer.header("Access-Control-Allow-Credentials") is None
    return answer.header("Access-Control-Allow-Origin")


@pytest.mark.parametrize(("path", "methods"), [("/token", "POST"), ("/revoke", "POST"), ("/userinfo", "GET, POST")])
@clause("Fetch 3.2.2", "hostile case BR-15")
def test_preflight(spa, path, methods):
    ask = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    answer = spa.channel.request("OPTIONS", path, headers={"Origin": SPA, **ask})
    assert (answer.status, allowed(answer), answer.header("Access-Control-Allow-Methods")) == (204, SPA, methods)
    assert "authorization" in answer.header("Access-Control-Allow-Headers").lower()
    assert "Origin" in answer.header("Vary")
    for origin in (EVIL, "null", SPA.upper(), SPA + "/", SPA + ".evil.example", "http://spa.example"):
        assert allowed(spa.channel.request("OPTIONS", path, headers={"Origin": origin})) is None


@clause("Fetch 3.2.5", "hostile case BR-15")
def test_the_call_itself_is_for_the_clients_own_origins(world, spa, ada, browser):
    other = world.app("Other", type="spa", allowed_origins=["https://other.example"])
    code = spa.code(browser)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": spa.last.verifier, "redirect_uri": spa.redirect_uri}
    answer = spa.call("/token", form, Origin=SPA)
    assert (answer.status, allowed(answer)) == (200, SPA)
    assert "Origin" in answer.header("Vary")
    tokens = answer.json()
    assert allowed(spa.channel.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}", Origin=SPA)) == SPA
    assert allowed(spa.channel.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}", Origin="https://other.example")) is None
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert allowed(spa.call("/token", refresh, Origin="https://other.example")) is None
    assert allowed(spa.call("/revoke", {"token": tokens["access_token"]}, Origin=SPA)) == SPA
    assert allowed(other.call("/revoke", {"token": "x"}, Origin=SPA)) is None


@clause("Fetch 3.2.5")
def test_an_app_can_read_its_errors(spa):
    answer = spa.call("/token", {"grant_type": "refresh_token", "refresh_token": "x" * 65}, Origin=SPA)
    assert (answer.status, allowed(answer)) == (400, SPA)
    challenge = spa.channel.get("/userinfo", Origin=SPA)
    assert "WWW-Authenticate" in challenge.header("Access-Control-Expose-Headers")
    assert allowed(spa.channel.get("/userinfo", Origin=EVIL)) is None


@pytest.mark.parametrize("path", ["/authorize", "/authorize/resume", "/login", "/consent", "/logout", "/account", "/introspect"])
@clause("RFC 9700 2.6", "hostile case BR-15")
def test_never_where_a_person_is(spa, browser, path):
    for method in ("GET", "POST", "OPTIONS"):
        assert allowed(browser.request(method, path, headers={"Origin": SPA})) is None
