"""RFC 8252: apps on a person's device."""

from __future__ import annotations

import pytest

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.rp import through_pages

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)


@pytest.mark.parametrize(
    ("registered", "sent", "works"),
    [
        case("RFC 8252 7.3", "any port", "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb", True),
        case("RFC 8252 7.3", "the registered port", "http://127.0.0.1:1000/cb", "http://127.0.0.1:1000/cb", True),
        case("RFC 8252 7.3", "another than the registered port", "http://127.0.0.1:1000/cb", "http://127.0.0.1:2000/cb", True),
        case("RFC 8252 7.3", "IPv6", "http://[::1]/cb", "http://[::1]:51234/cb", True),
        case("RFC 8252 7.3", "another path", "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb2", False),
        case("RFC 8252 7.3", "another query", "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb?x=y", False),
        case("RFC 8252 7.3", "IPv6 for IPv4", "http://127.0.0.1/cb", "http://[::1]:51234/cb", False),
        case("RFC 8252 7.3", "https", "http://127.0.0.1/cb", "https://127.0.0.1:51234/cb", False),
        case("RFC 8252 7.3", "another loopback address", "http://127.0.0.1/cb", "http://127.0.0.2:51234/cb", False),
        case("RFC 8252 7.3", "decimal address", "http://127.0.0.1/cb", "http://2130706433:51234/cb", False),
        case("RFC 8252 7.3", "port 70000", "http://127.0.0.1/cb", "http://127.0.0.1:70000/cb", False),
        case("RFC 8252 7.3", "port with text", "http://127.0.0.1/cb", "http://127.0.0.1:80a/cb", False),
        case("RFC 8252 7.3", "user name", "http://127.0.0.1/cb", "http://a@127.0.0.1:80/cb", False),
        case("RFC 8252 7.3", "a host behind", "http://127.0.0.1/cb", "http://127.0.0.1:80.evil.example/cb", False),
        case("RFC 8252 7.3", "fragment", "http://127.0.0.1/cb", "http://127.0.0.1:51234/cb#x", False),
        case("RFC 8252 8.3", "localhost is compared as it is", "http://localhost:1000/cb", "http://localhost:2000/cb", False),
        case("RFC 8252 7.1", "private scheme", "com.example.app:/cb", "com.example.app:/cb", True),
        case("RFC 8252 7.1", "private scheme with authority", "com.example.app:/cb", "com.example.app://cb", False),
        case("RFC 8252 7.1", "private scheme in capitals", "com.example.app:/cb", "COM.EXAMPLE.APP:/cb", False),
        case("RFC 8252 7.2", "claimed https", "https://app.example/cb", "https://app.example/cb", True),
        case("RFC 8252 7.2", "claimed https with a port", "https://app.example/cb", "https://app.example:8443/cb", False),
    ],
)
@clause("hostile case RU-11", "hostile case RU-14")
def test_redirect_uris(world, ada, browser, registered, sent, works):
    app = world.app(type="native", redirect_uris=[registered])
    if works:
        code = app.code(browser, redirect_uri=sent)
        assert app.redeem(code).status == 200
    else:
        refused.page(app.ask(browser, redirect_uri=sent), "redirect-uri-mismatch")


@clause("RFC 8252 7.3")
def test_the_port_of_the_request_counts_at_the_token_endpoint(world, ada, browser):
    app = world.app(type="native", redirect_uris=["http://127.0.0.1/cb"])
    code = app.code(browser, redirect_uri="http://127.0.0.1:51234/cb")
    refused.as_json(app.redeem(code, redirect_uri="http://127.0.0.1:51235/cb"), "invalid_grant")


@clause("RFC 8252 7.3")
def test_web_apps_have_no_free_port(world, browser):
    app = world.app(redirect_uris=["http://127.0.0.1:1000/cb"])
    refused.page(app.ask(browser, redirect_uri="http://127.0.0.1:2000/cb"), "redirect-uri-mismatch")


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "com.example.app:/cb"])
@clause("RFC 8252 8.6", "hostile case TK-10")
def test_an_app_that_anybody_can_imitate_is_asked_about_each_time(world, ada, browser, uri):
    app = world.app(type="native", redirect_uris=[uri], first_party=True)
    app.code(browser)
    page = browser.follow(app.ask(browser))
    assert 'id="consent-allow"' in page.text
    assert app.arrive(through_pages(browser, page))["code"]
    answer = app.ask(browser, prompt="none")
    refused.redirect(answer, "consent_required", to=uri, state=app.last.state, issuer=app.issuer)


@clause("RFC 8252 8.6")
def test_an_app_with_a_claimed_address_is_remembered(world, ada, browser):
    app = world.app(type="native", redirect_uris=["https://app.example/cb"])
    app.code(browser)
    assert app.arrive(app.ask(browser, prompt="none"))["code"]
