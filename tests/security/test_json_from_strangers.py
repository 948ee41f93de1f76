"""Hostile case PX-09 wherever JSON comes from outside: request objects, client assertions, registration documents."""

from __future__ import annotations

import base64
import json

import pytest
from django.conf import settings

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

DEEP = 300


def b64(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unsigned(text):
    return f"{b64(json.dumps({'alg': 'none'}))}.{b64(text)}."


OBJECTS = [
    case("PX-09", "NUL in state", '{"state": "a\\u0000b"}'),
    case("PX-09", "NUL in an unknown member", '{"extra": "a\\u0000b"}'),
    case("PX-09", "NUL in a name", '{"a\\u0000b": "x"}'),
    case("PX-09", "control character in state", '{"state": "a\\u0001b"}'),
    case("PX-09", "half a surrogate pair in state", '{"state": "\\ud800"}'),
    case("PX-09", "half a surrogate pair in a name", '{"\\ud800": "x"}'),
    case("PX-09", "half a surrogate pair in nonce", '{"nonce": "\\udfff"}'),
    case("PX-09", "half a surrogate pair in redirect_uri", '{"redirect_uri": "\\ud800"}'),
    case("PX-09", "half a surrogate pair in resource", '{"resource": ["\\ud800"]}'),
    case("PX-09", "NaN", '{"max_age": NaN}'),
    case("PX-09", "1e400", '{"exp": 1e400}'),
    case("PX-09", "NaN as exp", '{"exp": NaN}'),
    case("PX-09", "5000 digits", '{"max_age": ' + "9" * 5000 + "}"),
    case("PX-09", "true", '{"scope": true}'),
    case("PX-09", "null", '{"scope": null}'),
    case("PX-09", "member twice", '{"scope": "openid", "scope": "openid email"}'),
    case("PX-09", "list", "[]"),
    case("PX-09", "text", '"x"'),
    case("PX-09", "nothing", ""),
    case("PX-09", "deep list", '{"claims": ' + "[" * DEEP + "]" * DEEP + "}"),
    case("PX-09", "deeper list", '{"claims": ' + "[" * 900 + "]" * 900 + "}"),
    case("PX-09", "deepest list", "[" * 2900),
    case("PJ-08", "nested", '{"request": "x"}'),
    case("PJ-08", "nested by reference", '{"request_uri": "https://shop.example/r"}'),
    case("PJ-08", "another client", '{"client_id": "somebody-else"}'),
    case("PJ-08", "another issuer", '{"iss": "somebody-else"}'),
    case("PJ-08", "for another server", '{"aud": "https://other.example"}'),
    case("PJ-08", "expired", '{"exp": 1}'),
    case("PJ-08", "exp is text", '{"exp": "later"}'),
]


@pytest.mark.parametrize("inside", OBJECTS)
def test_request_objects(world, ada, browser, inside):
    """Unsigned ones are for classic clients: anybody can write them."""
    app = world.app(profile="oidc")
    app.code(browser)
    for person in (browser, world.browser()):
        answer = app.ask(person, request=unsigned(inside), state=None)
        if answer.status == 400:
            assert answer.header("Location") is None
            continue
        where = answer.location
        assert where.startswith(f"{CALLBACK}?error="), where
        assert "code=" not in where


@clause("OIDC Core 6.1", "RFC 9101 4")
def test_an_honest_request_object(world, ada, browser):
    app = world.app(profile="oidc")
    inside = json.dumps({"state": "from inside", "scope": "openid email", "claims": {"id_token": {"email": None}}, "max_age": 600})
    from tests.support.rp import members_of, through_pages

    answer = through_pages(browser, app.ask(browser, request=unsigned(inside)))
    members = members_of(answer, CALLBACK)
    assert members["state"] == "from inside"
    assert app.redeem(members["code"]).json()["scope"] == "openid email"


@clause("RFC 9101 10.5", "hostile case PJ-08")
def test_unsigned_objects_are_for_classic_clients_only(shop, browser):
    answer = shop.ask(browser, request=unsigned("{}"))
    refused.redirect(answer, "invalid_request_object", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@pytest.mark.parametrize("uri", ["http://169.254.169.254/latest", "file:///etc/passwd", "https://shop.example/r", "x", "https://[::1"])
@clause("OIDC Core 6.2", "hostile case PJ-07")
def test_request_uris_that_nobody_registered_are_never_fetched(shop, browser, monkeypatch, uri):
    from idp.kernel import outbound

    monkeypatch.setattr(outbound, "fetch", lambda *_, **__: pytest.fail("fetched"))
    answer = shop.ask(browser, request_uri=uri)
    refused.redirect(answer, "invalid_request_uri", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


ASSERTIONS = [
    case("PX-09", "sub: NUL", '{"sub": "a\\u0000b"}'),
    case("PX-09", "sub: half a surrogate pair", '{"sub": "\\ud800"}'),
    case("PX-09", "sub: list", '{"sub": ["x"]}'),
    case("PX-09", "no sub", "{}"),
    case("PX-09", "list", "[]"),
    case("PX-09", "deep", '{"sub": ' + "[" * 900 + "]" * 900 + "}"),
    case("CA-18", "exp: NaN", '{"sub": "{id}", "iss": "{id}", "exp": NaN}'),
    case("CA-18", "exp: 1e308", '{"sub": "{id}", "iss": "{id}", "exp": 1e308}'),
]


@pytest.mark.parametrize("algorithm", ["none", "nOnE", "HS256", "RS256", "ES256", "", 5, None, ["RS256"]])
@pytest.mark.parametrize("inside", ASSERTIONS)
@clause("CA-10", "RFC 7523 3")
def test_client_assertions(world, inside, algorithm):
    app = world.app("Robot", type="service", token_endpoint_auth_method="client_secret_jwt")
    token = f"{b64(json.dumps({'alg': algorithm}))}.{b64(inside.replace('{id}', app.client_id))}."
    for signature in ("", "AAAA"):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": token + signature,
        }
        refused.as_json(app.channel.post("/token", form), "invalid_client", status=401)


@pytest.fixture
def open_registration(monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"registration": "open", "registration_per_hour": 1000}))


DOCUMENTS = [
    case("PX-09", "nothing", ""),
    case("PX-09", "list", "[]"),
    case("PX-09", "text", '"x"'),
    case("PX-09", "deep", "[" * 50_000),
    case("PX-09", "a deep member", '{"redirect_uris": ' + "[" * DEEP + "]" * DEEP + "}"),
    case("PX-09", "10^5 keys", "{" + ",".join(f'"a{i}": 1' for i in range(9000)) + "}"),
    case("PX-09", "member twice", '{"client_name": "a", "client_name": "b", "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "NaN", '{"default_max_age": NaN, "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "1e400", '{"default_max_age": 1e400, "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "NUL in a contact", '{"contacts": ["a\\u0000b"], "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "half a surrogate pair in the name", '{"client_name": "\\ud800", "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "half a surrogate pair in a contact", '{"contacts": ["\\ud800"], "redirect_uris": ["https://shop.example/cb"]}'),
    case("PX-09", "NUL in a key", '{"jwks": {"keys": [{"kty": "EC", "kid": "\\u0000"}]}, "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "response_types is a number", '{"response_types": 5, "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "response_types is true", '{"response_types": true, "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "grant_types is text", '{"grant_types": "authorization_code", "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "grant_types of objects", '{"grant_types": [{}], "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "auth method is a list", '{"token_endpoint_auth_method": ["none"], "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "redirect_uris of numbers", '{"redirect_uris": [1]}'),
    case("RFC 7591 2", "redirect_uris is an object", '{"redirect_uris": {"0": "https://shop.example/cb"}}'),
    case("RFC 7591 2", "jwks is a list", '{"jwks": [], "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2", "scope is a list", '{"scope": ["openid"], "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2.3", "software statement", '{"software_statement": "a.b.c", "redirect_uris": ["https://shop.example/cb"]}'),
    case("RFC 7591 2.3", "software statement is a number", '{"software_statement": 5, "redirect_uris": ["https://shop.example/cb"]}'),
    case("OIDC Registration 5", "sector of an inner network", '{"sector_identifier_uri": "https://127.0.0.1/s", "redirect_uris": ["https://shop.example/cb"]}'),
    case("OP-11", "100 KB", '{"client_name": "' + "x" * 100_000 + '"}'),
]  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS)
@clause("RFC 7591 3.2.2", "hostile case OP-11")
def test_registration_documents(world, open_registration, document):
    answer = world.browser().request("POST", "/register", body=document.encode(), headers={"Content-Type": "application/json"})
    assert answer.status in (400, 413), answer.body
    assert "no-store" in answer.header("Cache-Control")
    assert answer.json()["error"] in {
        "invalid_client_metadata", "invalid_redirect_uri", "invalid_software_statement", "unapproved_software_statement", "invalid_request",
    }  # fmt: skip


@clause("RFC 7591 3.2.1", "RFC 7592 2", "hostile case TK-10", "hostile case TK-18")
def test_whoever_registers_decides_nothing_that_is_the_operators(world, ada, browser, open_registration):
    wanted = {
        "redirect_uris": [CALLBACK],
        "first_party": True,
        "profile": "oidc",
        "resources": ["https://api.example/"],
        "enabled": True,
        "client_id": "shop",
    }
    stranger = world.browser()
    answer = stranger.request("POST", "/register", body=json.dumps(wanted).encode(), headers={"Content-Type": "application/json"})
    assert answer.status == 201
    made = answer.json()
    assert made["client_id"] != "shop"
    assert not {"first_party", "resources", "profile", "enabled"} & set(made)
    from tests.support.rp import RelyingParty

    app = RelyingParty(made, stranger, redirect_uri=CALLBACK)
    page = browser.follow(app.ask(browser, resource=None))
    assert 'id="login-submit"' in page.text
    # The management token is the client's own (RFC 7592 2.1).
    uri = made["registration_client_uri"]
    assert stranger.get(uri).status == 401
    assert stranger.get(uri, Authorization="Bearer x").status == 401
    assert stranger.get(uri + "x", Authorization=f"Bearer {made['registration_access_token']}").status == 401
    assert "client_secret" not in stranger.get(uri, Authorization=f"Bearer {made['registration_access_token']}").json()
