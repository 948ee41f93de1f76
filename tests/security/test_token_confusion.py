"""Groups TK and RF: each token is good for what it was made for, and nothing forged is good for anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest
import time_machine

from tests.support import refused
from tests.support.clauses import clause


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parts(token):
    header, payload, signature = token.split(".")
    pad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    return json.loads(pad(header)), json.loads(pad(payload)), signature


@clause("TK-02", "RF-11", "RFC 8725 3.11")
def test_every_token_in_every_wrong_place(shop, ada, browser):
    code = shop.code(browser)
    tokens = shop.redeem(code).json()
    for wrong in (tokens["id_token"], tokens["refresh_token"], code, shop.secret, shop.client_id):
        refused.challenge(shop.userinfo(wrong), "invalid_token")
    for wrong in (tokens["access_token"], tokens["id_token"], code):
        refused.as_json(shop.refresh(wrong), "invalid_grant")
    fresh = shop.code(browser)
    for wrong in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        refused.as_json(shop.redeem(wrong), "invalid_grant")
    assert shop.redeem(fresh).status == 200
    for wrong in (tokens["id_token"], code):
        assert shop.call("/introspect", {"token": wrong}).json() == {"active": False}


def forgeries(token, jwk):
    """The token with everything changed that somebody without our key can change."""
    header, payload, signature = parts(token)
    body, claims = token.split(".")[1], {**payload, "sub": "somebody-else", "scope": "openid profile email", "exp": int(time.time()) + 9999}
    yield "other claims", f"{b64(header)}.{b64(claims)}.{signature}"
    yield "no signature", f"{token.rpartition('.')[0]}."
    yield "flipped signature", token.rpartition(".")[0] + "." + b64(bytes(64))
    yield "signature in DER form", token.rpartition(".")[0] + "." + b64(b"0\x06\x02\x01\x01\x02\x01\x01")
    for algorithm in ("none", "None", "nOnE", ""):
        yield f"alg {algorithm!r}", f"{b64({**header, 'alg': algorithm})}.{body}."
    public = json.dumps(jwk).encode()
    for secret in (public, base64.urlsafe_b64decode(jwk.get("n", jwk.get("x", "")) + "=="), b""):
        signed = f"{b64({**header, 'alg': 'HS256'})}.{b64(claims)}"
        yield "HS256 with the public key", f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
    yield "no kid", f"{b64({name: value for name, value in header.items() if name != 'kid'})}.{body}.{signature}"
    yield "other kid", f"{b64({**header, 'kid': 'nobody'})}.{body}.{signature}"
    yield "kid that is no text", f"{b64({**header, 'kid': ['x']})}.{body}.{signature}"
    yield "kid with a path", f"{b64({**header, 'kid': '../../dev/null'})}.{body}.{signature}"
    yield "typ of an ID token", f"{b64({**header, 'typ': 'JWT'})}.{body}.{signature}"
    yield "unknown crit", f"{b64({**header, 'crit': ['exp']})}.{body}.{signature}"
    yield "key inside", f"{b64({**header, 'jwk': jwk})}.{body}.{signature}"
    yield "key elsewhere", f"{b64({**header, 'jku': 'http://127.0.0.1:9/keys'})}.{body}.{signature}"
    yield "header is a list", f"{b64([])}.{body}.{signature}"
    yield "payload is a list", f"{b64(header)}.{b64([])}.{signature}"
    yield "padded", token + "="
    yield "line break", token + "\n"
    yield "twice", f"{token}.{token}"
    yield "encrypted", ".".join([b64({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}), "", b64(bytes(12)), b64(bytes(64)), b64(bytes(16))])
    yield "PBES2", ".".join([b64({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AA"}), "", "AA", "AA", "AA"])


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@clause("TK-06", "RFC 9068 4", "RFC 8725 3.1")
def test_forged_access_tokens(world, ada, browser, algorithm):
    app = world.app(access_token_alg=algorithm)
    token = app.tokens(browser)["access_token"]
    kid = parts(token)[0]["kid"]
    [jwk] = [key for key in app.channel.get("/jwks").json()["keys"] if key["kid"] == kid]
    for name, forged in forgeries(token, jwk):
        answer = app.channel.request("GET", "/userinfo", headers={"Authorization": f"Bearer {forged}"})
        assert answer.status == 401, name
        assert app.call("/introspect", {"token": forged}).json() == {"active": False}, name
        assert app.call("/revoke", {"token": forged}).status == 200
    assert app.userinfo(token).status == 200  # no forgery revoked it


@clause("TK-06")
def test_a_key_that_is_withdrawn_takes_its_tokens_along(world, ada, browser):
    """Hostile case KT-02: people keep their sessions."""
    from idp.oidc.keys import rotation

    app = world.app()
    token = app.tokens(browser)["access_token"]
    assert rotation.withdraw(parts(token)[0]["kid"])
    refused.challenge(app.userinfo(token), "invalid_token")
    assert app.userinfo(app.redeem(app.arrive(app.ask(browser, prompt="none"))["code"]).json()["access_token"]).status == 200


@clause("TK-10")
def test_a_request_cannot_ask_to_skip_consent(world, ada, browser):
    app = world.app()
    page = browser.follow(app.ask(browser, skip_consent="true", approval_prompt="auto", first_party="true", consent="1"))
    from tests.support.factories import PASSWORD

    page = browser.follow(browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD))
    assert 'id="consent-allow"' in page.text


@clause("TK-19")
def test_ids_of_others_are_unknown_ids(world, shop, ada, browser):
    """Consent and interaction of somebody else answer like such that do not exist."""
    page = browser.follow(shop.ask(browser))
    interaction = page.sent.target.partition("interaction=")[2]
    stranger = world.browser()
    for path in ("/consent", "/login"):
        foreign = stranger.get(f"{path}?interaction={interaction}")
        unknown = stranger.get(f"{path}?interaction={'x' * len(interaction)}")
        assert foreign.status == unknown.status
        assert foreign.location.replace(interaction, "") == unknown.location.replace("x" * len(interaction), "")


@clause("TK-06")
def test_a_token_that_was_found_genuine_before_expires_all_the_same(world, ada, browser):
    app = world.app()
    token = app.tokens(browser)["access_token"]
    with time_machine.travel(time.time(), tick=False) as clock:
        for _ in range(2):
            assert app.userinfo(token).status == 200
            assert app.call("/introspect", {"token": token}).json()["active"] is True
        clock.shift(lifetime(token) + 1)
        refused.challenge(app.userinfo(token), "invalid_token")
        assert app.call("/introspect", {"token": token}).json() == {"active": False}


def lifetime(token):
    claims = parts(token)[1]
    return claims["exp"] - claims["iat"]
