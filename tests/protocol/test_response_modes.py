"""Multiple Response Types 2.1, Form Post Response Mode, RFC 9207: how the answer travels."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
@clause("Multiple Response Types 2.1", "RFC 9207 2")
def test_success(shop, signed_in, mode):
    answer = shop.ask(signed_in, response_mode=mode)
    assert set(shop.arrive(answer)) == {"code", "state", "iss"}
    if mode != "form_post":
        parts = urlsplit(answer.location)
        assert (bool(parts.query), bool(parts.fragment)) == (mode == "query", mode == "fragment")


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
@clause("Multiple Response Types 2.1", "RFC 9207 2")
def test_errors(shop, browser, mode):
    answer = shop.ask(browser, response_mode=mode, prompt="none")
    refused.redirect(answer, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@pytest.mark.parametrize("mode", ["bogus", "query.jwt", "jwt", "QUERY", "web_message", "query fragment"])
@clause("Multiple Response Types 2.1", "hostile case AR-05")
def test_unknown_modes(shop, signed_in, mode):
    answer = shop.ask(signed_in, response_mode=mode)
    refused.redirect(answer, "invalid_request", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


FRONT_CHANNEL = ["id_token", "id_token token", "code id_token", "code token", "code id_token token"]


@pytest.mark.parametrize("response_type", FRONT_CHANNEL)
@clause("RFC 9700 2.1.2", "hostile case AR-02")
def test_tokens_in_the_front_channel_are_for_classic_clients_that_registered_them(world, ada, browser, response_type):
    classic = world.app(profile="oidc")
    answer = classic.ask(browser, response_type=response_type)
    members = refused.redirect(answer, "unauthorized_client", to=CALLBACK, state=classic.last.state, issuer=classic.issuer)
    assert "access_token" not in members
    assert "#" in answer.location  # Multiple Response Types 5: where the answer would have gone


@pytest.mark.parametrize("response_type", FRONT_CHANNEL)
@clause("OIDC Core 3.2.2", "OIDC Core 3.3.2", "Multiple Response Types 5")
def test_front_channel_answers(world, ada, browser, response_type):
    grants = ["implicit"] + (["authorization_code"] if "code" in response_type else [])
    app = world.app(profile="oidc", response_types=[response_type], grant_types=grants)
    members = app.sign_in(browser, response_type=" ".join(reversed(response_type.split())))
    names = {"code": {"code"}, "id_token": {"id_token"}, "token": {"access_token", "token_type", "expires_in"}}
    expected = set().union(*(names[word] for word in response_type.split()))
    assert expected <= set(members) <= expected | {"state", "iss", "session_state", "scope"}
    if "id_token" in members:
        claims = app.id_token(members["id_token"], nonce=app.last.nonce)
        assert ("at_hash" in claims) == ("access_token" in members)
        assert ("c_hash" in claims) == ("code" in members)
    if "access_token" in members:
        assert app.userinfo(members["access_token"]).json() == {"sub": str(ada.pk)}
    if "code" in members:
        assert app.redeem(members["code"]).status == 200
    answer = app.ask(browser, response_type=response_type, response_mode="query")
    where = answer.location
    assert "error=invalid_request" in where
    assert "token=" not in where
    if "id_token" in response_type:
        assert "error=invalid_request" in app.ask(browser, response_type=response_type, nonce=None).location


@clause("Form Post Response Mode 2", "hostile case AR-04", "hostile case IN-06")
def test_the_form_is_escaped_never_kept_and_its_policy_tight(shop, signed_in):
    state = '"><script>alert(1)</script>'
    answer = shop.ask(signed_in, response_mode="form_post", state=state)
    assert shop.arrive(answer)["state"] == state
    assert state not in answer.text
    assert (answer.header("Cache-Control"), answer.header("Referrer-Policy")) == ("no-store", "no-referrer")
    policy = answer.header("Content-Security-Policy")
    assert "form-action 'self' https://shop.example" in policy
    assert "unsafe" not in policy
    for script in re.findall(r"<script[^>]*>", answer.text):
        assert re.search(r'nonce="[^"]{16,}"', script)
    first = re.search(r"'nonce-([^']+)'", policy)[1]
    again = shop.ask(signed_in, response_mode="form_post").header("Content-Security-Policy")
    assert first not in again


@pytest.mark.parametrize(
    "uri",
    [
        case("RFC 6749 3.1.2", "a query of its own is kept", "https://shop.example/cb?a=b&c=%2F"),
        case("RFC 6749 3.1.2", "a port", "https://shop.example:8443/cb"),
        case("RFC 6749 3.1.2", "no path", "https://shop.example"),
        case("RFC 6749 3.1.2", "percent-encoding stays as registered", "https://shop.example/%7Ecb"),
    ],
)
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_the_registered_uri_is_left_as_it_is(world, ada, browser, uri, mode):
    app = world.app(redirect_uris=[uri])
    assert app.code(browser, response_mode=mode)


@clause("RFC 9207 2.3", "RFC 9700 4.4")
def test_iss_is_the_configured_issuer_whatever_the_host(world, shop, signed_in):
    answer = signed_in.request("GET", shop.begin().url, headers={"Host": "127.0.0.1:8000"})
    assert shop.arrive(answer)["iss"] == world.issuer
