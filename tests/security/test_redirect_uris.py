"""Group RU: nobody but the registered app ever gets an answer. Exact strings, nothing normalised, refused on a page."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from idp.oidc.clients import cache, redirect_uris, registry
from idp.oidc.clients.metadata import InvalidMetadata
from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.rp import s256

REGISTERED = "https://shop.example/cb"

NEVER = [
    case("RU-01", "another host", "https://evil.example/cb"),
    case("RU-02", "scheme in capitals", "HTTPS://shop.example/cb"),
    case("RU-02", "host in capitals", "https://SHOP.example/cb"),
    case("RU-02", "http", "http://shop.example/cb"),
    case("RU-03", "path in capitals", "https://shop.example/CB"),
    case("RU-03", "trailing slash", "https://shop.example/cb/"),
    case("RU-03", "dot segments", "https://shop.example/x/../cb"),
    case("RU-03", "dot segment in front", "https://shop.example/./cb"),
    case("RU-03", "encoded dot segments", "https://shop.example/%2e%2e/cb"),
    case("RU-03", "encoded letter", "https://shop.example/%63b"),
    case("RU-03", "path parameter", "https://shop.example/cb;p=1"),
    case("RU-03", "double slash", "https://shop.example//cb"),
    case("RU-03", "longer path", "https://shop.example/cb/more"),
    case("RU-03", "prefix", "https://shop.example/c"),
    case("RU-03", "backslash", "https://shop.example\\cb"),
    case("RU-04", "default port", "https://shop.example:443/cb"),
    case("RU-04", "default port with zero", "https://shop.example:0443/cb"),
    case("RU-04", "empty port", "https://shop.example:/cb"),
    case("RU-04", "another port", "https://shop.example:8443/cb"),
    case("RU-05", "user name", "https://a@shop.example/cb"),
    case("RU-05", "registered host as user name", "https://shop.example@evil.example/cb"),
    case("RU-05", "with a password", "https://shop.example:x@evil.example/cb"),
    case("RU-05", "backslash before at", "https://evil.example\\@shop.example/cb"),
    case("RU-05", "encoded at", "https://evil.example%40shop.example/cb"),
    case("RU-05", "subdomain", "https://shop.example.evil.example/cb"),
    case("RU-05", "suffix", "https://evilshop.example/cb"),
    case("RU-07", "fragment", "https://shop.example/cb#f"),
    case("RU-07", "bare fragment", "https://shop.example/cb#"),
    case("RU-08", "query added", "https://shop.example/cb?a=b"),
    case("RU-08", "bare query", "https://shop.example/cb?"),
    case("RU-10", "carriage return", "https://shop.example/cb\r"),
    case("RU-10", "header split", "https://shop.example/cb\r\nLocation: https://evil.example"),
    case("RU-10", "line feed", "https://shop.example/cb\n"),
    case("RU-10", "tab inside", "https://shop.exa\tmple/cb"),
    case("RU-10", "space behind", "https://shop.example/cb "),
    case("RU-10", "space before", " https://shop.example/cb"),
    case("RU-10", "zero width space", "https://shop.example/cb\u200b"),
    case("RU-10", "right to left", "https://shop.example/\u202ecb"),
    case("RU-13", "javascript", "javascript:alert(1)//https://shop.example/cb"),
    case("RU-13", "data", "data:text/html,hello"),
    case("RU-13", "file", "file:///etc/passwd"),
    case("RU-13", "scheme relative", "//shop.example/cb"),
    case("RU-13", "no scheme", "shop.example/cb"),
    case("RU-15", "homoglyph", "https://sh\u043ep.example/cb"),
    case("RU-15", "ideographic full stop", "https://shop\u3002example/cb"),
    case("RU-15", "trailing dot", "https://shop.example./cb"),
    case("RU-16", "null as text", "null"),
    case("RU-23", "2049 bytes", f"https://shop.example/{'x' * 2028}"),
    case("RU-23", "15 KB", f"https://shop.example/{'x' * 15_000}"),
]


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@pytest.mark.parametrize("uri", NEVER)
def test_never_a_redirect(shop, browser, uri):
    refused.page(shop.ask(browser, redirect_uri=uri), "redirect-uri-mismatch")


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@clause("RU-10", "RU-23")
def test_what_cannot_be_read_is_a_page_too(shop, browser):
    for raw, status in (("%00", 400), ("%zz", 400), ("%ff", 400), ("x" * 20_000, 413), ("x" * 64_000, 413)):
        query = (
            f"response_type=code&client_id={shop.client_id}&scope=openid&code_challenge={s256('x')}&redirect_uri={quote(REGISTERED)}{raw}"
        )
        answer = browser.get(f"/authorize?{query}")
        assert (answer.status, answer.header("Location")) == (status, None)


@pytest.mark.parametrize("world", ["thin"], indirect=True)
@pytest.mark.parametrize(
    "sent",
    ["https://shop.example/cb?b=2&a=1", "https://shop.example/cb?a=1", "https://shop.example/cb?a=1&b=3", "https://shop.example/cb", "https://shop.example/cb?a=1&b=2&c"],
)  # fmt: skip
@clause("RU-08")
def test_the_registered_query_counts(world, browser, sent):
    app = world.app(redirect_uris=["https://shop.example/cb?a=1&b=2"])
    refused.page(app.ask(browser, redirect_uri=sent), "redirect-uri-mismatch")


REGISTRATIONS = [
    case("RU-05", "user name", "web", "https://a@shop.example/cb"),
    case("RU-05", "empty user name", "web", "https://@shop.example/cb"),
    case("RU-05", "backslash", "web", "https://evil.example\\@shop.example/cb"),
    case("RU-07", "fragment", "web", "https://shop.example/cb#f"),
    case("RU-07", "bare fragment", "web", "https://shop.example/cb#"),
    case("RU-10", "line feed", "web", "https://shop.example/cb\n"),
    case("RU-10", "space", "web", "https://shop.example/c b"),
    case("RU-12", "wildcard host", "web", "https://*.shop.example/cb"),
    case("RU-12", "wildcard path", "web", "https://shop.example/*"),
    case("RU-12", "plain http", "web", "http://shop.example/cb"),
    case("RU-13", "javascript", "web", "javascript:alert(1)"),
    case("RU-13", "javascript in capitals", "native", "JavaScript:alert(1)"),
    case("RU-13", "data", "native", "data:text/html,x"),
    case("RU-13", "vbscript", "native", "vbscript:x"),
    case("RU-13", "file", "native", "file:///x"),
    case("RU-13", "blob", "native", "blob:https://shop.example/x"),
    case("RU-13", "view-source", "native", "view-source:https://shop.example/"),
    case("RU-13", "about", "native", "about:blank"),
    case("RU-14", "private scheme for a web app", "web", "com.example.app:/cb"),
    case("RU-14", "private scheme without a dot", "native", "myapp:/cb"),
    case("RU-14", "private scheme with authority", "native", "com.example.app://cb"),
    case("RU-15", "Unicode host", "web", "https://shöp.example/cb"),
    case("RU-15", "host in capitals", "web", "https://SHOP.example/cb"),
    case("RU-16", "empty", "web", ""),
    case("RU-16", "relative", "web", "/cb"),
    case("RU-16", "no host", "web", "https:///cb"),
    case("RU-16", "broken IPv6", "web", "https://[::1/cb"),
    case("RU-16", "port 99999", "web", "https://shop.example:99999/cb"),
    case("RU-22", "our own origin", "web", "http://localhost:8000/login"),
    case("RU-23", "too long", "web", f"https://shop.example/{'x' * 2000}"),
]


@pytest.mark.parametrize(("type_", "uri"), REGISTRATIONS)
@pytest.mark.django_db
def test_never_registered(type_, uri, signing_keys):
    with pytest.raises(InvalidMetadata) as refusal:
        registry.create({"client_name": "Shop", "redirect_uris": [uri]}, type=type_)
    assert not uri or uri not in str(refusal.value)


# --- properties

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
PIECES = st.lists(
    st.one_of(st.sampled_from(["https", "http", ":", "//", "/", "shop.example", "127.0.0.1", "[::1]", "localhost", "cb", "@", "#", "?", ":443", ":80", "%2e", "..", "\\", "."]), TEXT),
    max_size=9,
).map("".join)  # fmt: skip


@pytest.fixture
def policy(db, signing_keys):
    client, _ = registry.create({"client_name": "Shop", "redirect_uris": [REGISTERED]})
    found = cache.get(client.client_id)
    assert found is not None
    return found


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(uri=PIECES)
@example(uri=REGISTERED)
@clause("RU-02", "RFC 9700 2.1")
def test_a_web_app_is_matched_by_the_very_string(policy, uri):
    assert policy.allows_redirect_uri(uri) == (uri == REGISTERED)


@hypothesis_settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    uri=st.one_of(
        PIECES, st.integers(0, 99999).map(lambda port: f"http://127.0.0.1:{port}/cb"), PIECES.map(lambda tail: f"http://127.0.0.1:80{tail}")
    )
)
@clause("RU-11", "RFC 8252 7.3")
def test_a_native_app_is_matched_by_all_but_the_port(policy, uri):
    registered = "http://127.0.0.1/cb"
    native = dataclasses.replace(policy, application_type="native", redirect_uris=frozenset({registered}))
    if not native.allows_redirect_uri(uri):
        return
    if uri != registered:
        port, _, path = uri.removeprefix("http://127.0.0.1:").partition("/")
        assert uri == f"http://127.0.0.1:{port}/{path}"
        assert port.isascii()
        assert port.isdecimal()
        assert int(port) < 65536
        assert path == "cb"


@hypothesis_settings(max_examples=500, deadline=None, derandomize=True)
@given(uri=PIECES, application_type=st.sampled_from(["web", "native"]))
@clause("RU-13")
def test_whatever_is_registered_is_a_place_to_return_to(uri, application_type):
    if redirect_uris.problem(uri, application_type=application_type) is not None:
        return
    assert uri.isascii()
    assert not set(uri) & set('#*\\ \r\n\t\0<>"')
    assert "@" not in uri.partition("://")[2].partition("/")[0].partition("?")[0]
    assert uri.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")) or application_type == "native"
