"""OpenID Connect Core 6 and RFC 9101: request objects by value and by reference; keys behind `jwks_uri`."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
from urllib.parse import urlsplit

import pytest

from idp.oidc.clients import keys
from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.client_keys import ec_key, jwks, signed
from tests.support.landing import landing
from tests.support.rp import through_pages
from tests.support.servers import make_certificate
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)


@pytest.fixture
def signer(world):
    return world.app(jwks=jwks(ec_key()), scope="openid email")


def unsigned(claims):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")  # noqa: E731
    return f"{part({'alg': 'none'})}.{part(claims)}."


@clause("OIDC Core 6.1", "RFC 9101 6.3")
def test_what_is_inside_wins(signer, ada, browser):
    inside = {"iss": signer.client_id, "aud": signer.issuer, "state": "inside", "nonce": "inner", "scope": "openid"}
    answer = through_pages(browser, signer.ask(browser, request=signed(ec_key(), inside), state="outside", nonce="outer"))
    assert "state=inside" in answer.location
    code = answer.location.partition("code=")[2].partition("&")[0]
    tokens = signer.redeem(code).json()
    assert tokens["scope"] == "openid"
    assert signer.id_token(tokens["id_token"], nonce="inner")


@clause("OIDC Core 6.1")
def test_the_redirect_uri_inside_is_validated(signer, ada, browser):
    inside = {"redirect_uri": "https://evil.example/cb"}
    refused.page(signer.ask(browser, request=signed(ec_key(), inside)), "redirect-uri-mismatch")
    right = signer.ask(browser, request=signed(ec_key(), {"redirect_uri": CALLBACK}), redirect_uri="https://evil.example/cb")
    assert through_pages(browser, right).location.startswith(CALLBACK)


@pytest.mark.parametrize(
    ("token", "error"),
    [
        case("RFC 9101 10.2", "another key", lambda c, i: signed(ec_key("stranger"), {}), "invalid_request_object"),
        case("hostile case PJ-08", "unsigned outside the classic profile", lambda c, i: unsigned({}), "invalid_request_object"),
        case("hostile case PJ-08", "wrong aud", lambda c, i: signed(ec_key(), {"aud": "https://x.example"}), "invalid_request_object"),
        case("hostile case PJ-08", "iss is not the client", lambda c, i: signed(ec_key(), {"iss": "x"}), "invalid_request_object"),
        case("hostile case PJ-08", "expired", lambda c, i: signed(ec_key(), {"exp": int(time.time()) - 600}), "invalid_request_object"),
        case("hostile case PJ-08", "nested", lambda c, i: signed(ec_key(), {"request": "x"}), "invalid_request_object"),
        case(
            "hostile case PJ-09",
            "a client assertion",
            lambda c, i: signed(ec_key(), {"sub": c, "iss": c, "aud": i}),
            "invalid_request_object",
        ),
        case(
            "hostile case PJ-09", "typed as something else", lambda c, i: signed(ec_key(), {}, typ="logout+jwt"), "invalid_request_object"
        ),
        case("OIDC Core 6.1", "another client_id inside", lambda c, i: signed(ec_key(), {"client_id": "x"}), "invalid_request_object"),
        case(
            "OIDC Core 6.1", "another response_type inside", lambda c, i: signed(ec_key(), {"response_type": "x"}), "invalid_request_object"
        ),
        case("RFC 9101 4", "garbage", lambda c, i: "garbage", "invalid_request_object"),
    ],
)
def test_refused_to_the_valid_address_outside(signer, ada, browser, token, error):
    answer = signer.ask(browser, request=token(signer.client_id, signer.issuer))
    refused.redirect(answer, error, to=CALLBACK, state=signer.last.state, issuer=signer.issuer)


@clause("OIDC Core 6.1", "OpenID Registration 2")
def test_unsigned_for_classic_clients(world, ada, browser):
    classic = world.app(profile="oidc")
    answer = through_pages(browser, classic.ask(browser, request=unsigned({"state": "inside"}), state=None))
    assert "state=inside" in answer.location


@pytest.mark.parametrize(
    "uri",
    [
        case("OIDC Core 6.2", "not registered", "https://shop.example/request.jwt"),
        case("hostile case PJ-07", "metadata service", "http://169.254.169.254/latest"),
        case("hostile case PJ-07", "file", "file:///etc/passwd"),
    ],
)
def test_a_request_uri_must_be_registered(signer, ada, browser, uri):
    answer = signer.ask(browser, request_uri=uri)
    refused.redirect(answer, "invalid_request_uri", to=CALLBACK, state=signer.last.state, issuer=signer.issuer)


@clause("OIDC Core 6.2")
def test_not_both(signer, ada, browser):
    answer = signer.ask(browser, request="x", request_uri="https://shop.example/r")
    refused.redirect(answer, "invalid_request", to=CALLBACK, state=signer.last.state, issuer=signer.issuer)


@pytest.fixture
def elsewhere(settings, tmp_path):
    """The app's own web server, which the provider may reach although it is on loopback."""
    certificate = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain, certificate.key)
    with landing(tls=tls) as place:
        allowed = {"outbound_allow": (urlsplit(place.url).netloc,), "outbound_ca_file": certificate.authority}
        settings.IDP = settings.IDP.model_copy(update=allowed)
        yield place


def hash_of(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@clause("OIDC Core 6.2", "RFC 9101 5.2")
def test_by_reference_and_kept_when_the_address_names_the_content(world, ada, browser, elsewhere):
    elsewhere.text = signed(ec_key(), {"state": "inside"})
    plain, named = f"{elsewhere.url}/r", f"{elsewhere.url}/r#{hash_of(elsewhere.text)}"
    wrong = f"{elsewhere.url}/r#{hash_of('other')}"
    app = world.app(jwks=jwks(ec_key()), request_uris=[plain, named, wrong])
    for uri, fetches in ((plain, 2), (wrong, 2), (named, 1)):
        elsewhere.seen.clear()
        for _ in range(2):
            assert "state=inside" in through_pages(browser, app.ask(browser, request_uri=uri, state="outside")).location
        # The page of sign-in and consent resolves nothing anew: one fetch for each request, or for all that name the content.
        assert len(elsewhere.seen) == fetches, uri
        assert {head["Host"] for head in elsewhere.seen} == {urlsplit(elsewhere.url).netloc}


@clause("OIDC Core 6.2", "hostile case SS-06")
def test_what_the_other_server_says_stays_with_us(world, ada, browser, elsewhere):
    elsewhere.text = "root:x:0:0:secret-of-the-inside"
    app = world.app(jwks=jwks(ec_key()), request_uris=[f"{elsewhere.url}/r"])
    answer = app.ask(browser, request_uri=f"{elsewhere.url}/r")
    refused.redirect(answer, "invalid_request_object", to=CALLBACK, state=app.last.state, issuer=app.issuer)
    assert "secret-of-the-inside" not in answer.location


@clause("OIDC Core 10.1.1", "OpenID Registration 2", "hostile case SS-09")
def test_keys_of_an_app_change_and_a_flood_of_unknown_ones_is_not_passed_on(world, ada, browser, elsewhere, monkeypatch):
    elsewhere.text = json.dumps(jwks(ec_key("first")))
    app = world.app(jwks_uri=f"{elsewhere.url}/keys")

    def accepted(kid):
        answer = app.ask(browser, request=signed(ec_key(kid), {"state": "inside"}, kid=kid))
        return "error=" not in answer.location

    assert accepted("first")
    for number in range(20):
        assert not accepted(f"unknown-{number}")
    assert len(elsewhere.seen) == 1  # and not one for each
    elsewhere.text = json.dumps(jwks(ec_key("first"), ec_key("second")))
    assert not accepted("second")
    monkeypatch.setattr(keys, "REFETCH_SECONDS", 0.0)  # a minute later
    assert accepted("second")
    assert len(elsewhere.seen) == 2
