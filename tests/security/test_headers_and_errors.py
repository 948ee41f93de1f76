"""Groups IN and BR-10: headers, caching, and errors that repeat nothing."""

from __future__ import annotations

import re

import pytest

from idp.oidc.clients import registry
from idp.oidc.clients.metadata import InvalidMetadata
from idp.oidc.protocol.refusals import CATALOGUE
from tests.support.clauses import case, clause
from tests.support.factories import PASSWORD


@pytest.mark.parametrize("code", sorted(CATALOGUE))
@clause("IN-05", "RFC 6749 5.2")
def test_every_entry_of_the_catalogue_is_clean(code):
    entry = CATALOGUE[code]
    for text in (entry.description, entry.error):
        assert re.fullmatch(r"[\x20\x21\x23-\x5B\x5D-\x7E]+", text)
    assert entry.clause
    assert entry.fix
    assert entry.expected
    assert 400 <= entry.status < 600


@pytest.fixture
def pages(shop, ada, browser):
    """Each kind of answer that a browser sees on the way."""
    login = browser.follow(shop.ask(browser))
    consent = browser.follow(browser.submit(login, button="login-submit", login="ada@example.org", password=PASSWORD))
    return {
        "to the login page": shop.ask(browser, prompt="login"),
        "login": login,
        "consent": consent,
        "error": browser.get("/authorize"),
        "foreign": browser.get("/authorize/resume?interaction=x"),
        "logout": browser.visit("/logout"),
        "logged out": browser.visit("/logout/done"),
        "account": browser.visit("/account"),
        "back to the app": browser.follow(browser.submit(consent, button="consent-allow")),
        "form_post": shop.ask(browser, response_mode="form_post"),
        "not found": browser.get("/nowhere"),
    }


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@clause("IN-06", "IN-07", "BR-10", "CO-12", "ASVS 3.4")
def test_headers_of_every_page(pages):
    for name, answer in pages.items():
        assert "no-store" in (answer.header("Cache-Control") or ""), name
        assert answer.header("X-Frame-Options") == "DENY", name
        assert answer.header("X-Content-Type-Options") == "nosniff", name
        assert answer.header("Referrer-Policy") in ("same-origin", "no-referrer"), name
        assert "camera=()" in answer.header("Permissions-Policy"), name
        assert answer.header("X-Request-ID"), name
        assert answer.header("Access-Control-Allow-Origin") is None, name
        if answer.header("Content-Type") == "text/html; charset=utf-8" and answer.body:
            policy = answer.header("Content-Security-Policy")
            for directive in ("default-src 'none'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'"):
                assert directive in policy, name
            assert not re.search(r"unsafe|\*", policy), name
            for script in re.findall(r"<script[^>]*>", answer.text):
                assert "nonce=" in script or 'src="/static/' in script, name
            assert not re.search(r"\son[a-z]+=|javascript:", answer.text), name
    assert pages["back to the app"].header("Referrer-Policy") == "no-referrer"
    assert pages["form_post"].header("Referrer-Policy") == "no-referrer"
    assert "form-action 'self' https://shop.example" in pages["consent"].header("Content-Security-Policy")
    assert "shop.example" not in pages["account"].header("Content-Security-Policy")


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@clause("ASVS 3.3")
def test_cookies(shop, ada, browser):
    shop.code(browser)
    fresh = type(browser)(browser.send, origin=browser.origin)
    login = fresh.follow(shop.ask(fresh))
    seen = [value for answer in (shop.ask(fresh), fresh.submit(login, button="login-submit", login="ada@example.org", password=PASSWORD))
            for name, value in answer.headers if name.lower() == "set-cookie"]  # fmt: skip
    assert seen
    for cookie in seen:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@pytest.mark.parametrize(
    "path", ["/authorize", "/login", "/logout", "/logout/done", "/consent", "/signup", "/nowhere", "/authorize/resume", "/account"]
)
@clause("IN-04")
def test_texts_in_the_query_are_never_shown(browser, path):
    canary = "Your-account-was-stolen-call-0800"
    query = "&".join(
        f"{name}={canary}"
        for name in ("error", "error_description", "error_uri", "message", "hint", "title", "done", "reference", "client_name")
    )
    answer = browser.visit(f"{path}?{query}")
    # A page that asks to sign in first keeps the way back in a field and in links; nothing of it is text.
    assert canary not in re.sub(r'(value|href)="/[^"]*"', "", answer.text)


NAMES = [
    case("IN-01", "markup", "<b>Shop</b><script>alert(1)</script>", "&lt;b&gt;Shop"),
    case("IN-01", "attribute", '" onmouseover="alert(1)', "&quot; onmouseover=&quot;"),
    case("IN-01", "bidi override", "Shop\u202egro.live", "Shopgro.live"),
    case("IN-01", "zero width", "Go\u200bogle", "Google"),
    case("IN-13", "template", "{{ 7 * 7 }}{% debug %}", "{{ 7 * 7 }}"),
    case("IN-13", "format", "%(password)s {0.__class__}", "%(password)s {0.__class__}"),
]


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_the_name_of_an_app_is_text(world, browser, name, shown):
    app = world.app(name)
    page = browser.follow(app.ask(browser)).text
    assert shown in page
    assert "<script>alert" not in page
    assert "49" not in re.findall(r"<h1>.*?</h1>", page, re.DOTALL)[0]


METADATA = [
    case("IN-01", "10 KB name", {"client_name": "x" * 10_000}),
    case("IN-01", "invisible name", {"client_name": "\u200b\u202e"}),
    case("IN-02", "logo: javascript", {"logo_uri": "javascript:alert(1)"}),
    case("IN-02", "logo: data", {"logo_uri": "data:image/svg+xml,<svg/>"}),
    case("IN-02", "logo: plain http", {"logo_uri": "http://shop.example/logo.png"}),
    case("IN-03", "tos: javascript", {"tos_uri": "javascript:alert(1)"}),
    case("IN-03", "policy: data", {"policy_uri": "data:text/html,x"}),
    case("IN-03", "home: file", {"client_uri": "file:///etc/passwd"}),
    case("KT-06", "symmetric ID tokens", {"id_token_signed_response_alg": "HS256"}),
    case("KT-06", "unsigned ID tokens", {"id_token_signed_response_alg": "none"}),
    case("RFC 7591 2.1", "grant without response type", {"response_types": []}),
    case("RFC 7591 2.1", "implicit", {"response_types": ["token"], "grant_types": ["implicit"]}),
    case(
        "RFC 6749 4.4",
        "public service",
        {"grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "none"},
    ),
    case("BR-15", "origin with a path", {"allowed_origins": ["https://shop.example/x"]}),
    case("BR-15", "any origin", {"allowed_origins": ["*"]}),
    case("BR-15", "null origin", {"allowed_origins": ["null"]}),
    case("RFC 8707 2", "resource with fragment", {"resources": ["https://api.example/#x"]}),
    case("RFC 6749 3.3", "scope with a quote", {"scope": 'openid "x"'}),
    case("RFC 7517 9.2", "private keys", {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]}}),
    case("TK-18", "members of ours", {"pk": 1}),
]


@pytest.mark.parametrize("document", METADATA)
@pytest.mark.django_db
def test_metadata_that_is_refused(signing_keys, document):
    with pytest.raises(InvalidMetadata):
        registry.create({"client_name": "Shop", "redirect_uris": ["https://shop.example/cb"], **document})
