"""OIDC Discovery 3 and 4, RFC 8414, RFC 7517: the public documents, through both doors."""

from __future__ import annotations

import pytest

from tests.support.clauses import clause

DOCUMENTS = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"]


@pytest.mark.parametrize("path", DOCUMENTS)
@clause("OIDC Discovery 4.2", "RFC 8414 3.2")
def test_public_cacheable_json(browser, path):
    answer = browser.get(path, Origin="https://anywhere.example")
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    cache = answer.header("Cache-Control") or ""
    assert cache.startswith("public, max-age=")
    assert 300 <= int(cache.rpartition("=")[2]) <= 3600
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Access-Control-Allow-Credentials") is None
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert not browser.cookies
    assert answer.header("Vary") is None or "Cookie" not in answer.header("Vary")


@pytest.mark.parametrize("path", DOCUMENTS)
@clause("RFC 9110 13.1.2")
def test_not_modified(browser, path):
    tag = browser.get(path).header("ETag")
    again = browser.get(path, If_None_Match=tag)
    assert (again.status, again.body, again.header("ETag")) == (304, b"", tag)
    assert browser.get(path, If_None_Match='"other"').status == 200


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
@clause("RFC 9110 15.5.6")
def test_read_only(browser, path, method):
    answer = browser.request(method, path)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", DOCUMENTS)
@clause("RFC 9110 9.3.2")
def test_head(browser, path):
    answer = browser.request("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")


@clause("OIDC Discovery 3", "OIDC Discovery 4.3")
def test_the_openid_document(browser):
    document = browser.get(DOCUMENTS[0]).json()
    assert document["issuer"] == browser.origin
    for name, value in document.items():
        assert value is not None
        assert value != []
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(browser.origin + "/")
    assert document["response_types_supported"][0] == "code"
    assert "public" in document["subject_types_supported"]
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert {"openid", "profile", "email", "address", "phone", "offline_access"} <= set(document["scopes_supported"])
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["claims_parameter_supported"] is True
    for name in ("request_parameter_supported", "request_uri_parameter_supported", "require_request_uri_registration"):
        assert isinstance(document[name], bool)
    assert {"client_secret_basic", "client_secret_post", "none"} <= set(document["token_endpoint_auth_methods_supported"])
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    assert set(document["grant_types_supported"]) >= {"authorization_code", "refresh_token", "client_credentials"}


@clause("RFC 8414 2")
def test_the_oauth_document_says_the_same(browser):
    oauth, openid = (browser.get(path).json() for path in (DOCUMENTS[1], DOCUMENTS[0]))
    assert set(oauth) < set(openid)
    assert all(openid[name] == value for name, value in oauth.items())


@clause("OIDC Discovery 3")
def test_what_is_promised_answers(browser):
    document = browser.get(DOCUMENTS[0]).json()
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert browser.get(url).status in (200, 303, 400, 401, 405), url


@clause("RFC 7517 5", "RFC 7638", "hostile case KT-03")
def test_the_key_set_is_public(browser):
    import base64
    import hashlib
    import json

    keys = browser.get("/jwks").json()["keys"]
    assert {key["alg"] for key in keys} >= {"RS256", "ES256"}
    assert len({key["kid"] for key in keys}) == len(keys)
    required = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
    for key in keys:
        assert key["use"] == "sig"
        assert set(key) == {"kid", "alg", "use", *required[key["kty"]]}
        canonical = json.dumps({name: key[name] for name in sorted(required[key["kty"]])}, separators=(",", ":")).encode()
        assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")
        assert not any("=" in str(value) for value in key.values())


@clause("OIDC Discovery 4.3", "hostile case EM-11")
def test_the_issuer_comes_from_configuration(browser):
    for headers in ({"Host": "127.0.0.1:8000"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}):
        assert browser.request("GET", DOCUMENTS[0], headers=headers).json()["issuer"] == browser.origin
    assert browser.request("GET", DOCUMENTS[0], headers={"Host": "evil.example"}).status == 400


@pytest.mark.parametrize(
    "path", ["/jwks/", "/token/", "/Token", "/token;x", "/%74oken/", "/.well-known/openid-configuration/x", "/authorize/"]
)
@clause("hostile case PX-14")
def test_other_spellings_of_a_path_are_other_paths(browser, path):
    assert browser.get(path).status == 404
