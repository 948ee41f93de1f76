"""An app that checks nothing learns nothing: each check of the playground fails on the token that it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from idp.kernel import jose
from idp.kernel.clock import now
from idp.playground.tokens import check_access_token, check_id_token, readable, subject_of

ISSUER = "https://id.example.org"
KEY = jose.generate("ES256")
JWK = jose.public_jwk(KEY, "ES256")
JWKS = {"keys": [JWK]}
SIGNER = jose.Signer(kid=JWK["kid"], algorithm="ES256", key=KEY)


def _id_token(**changes: Any) -> str:
    seconds = int(now().timestamp())
    claims = {"iss": ISSUER, "aud": "app", "sub": "ana", "nonce": "n", "iat": seconds, "exp": seconds + 300, "auth_time": seconds}
    claims["at_hash"] = jose.left_half_hash("access", "ES256")
    return SIGNER.sign({**claims, **changes}, typ="JWT")


def _failures(token: str, **changes: Any) -> list[str]:
    expected = {"jwks": JWKS, "issuer": ISSUER, "client_id": "app", "nonce": "n", "access_token": "access", "max_age": 60}
    return [check.what for check in check_id_token(token, **{**expected, **changes}) if not check.ok]


def test_a_right_token_passes_every_check() -> None:
    assert _failures(_id_token()) == []


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"iss": "https://evil.example"}, "iss is the provider"),
        ({"aud": "other"}, "aud is this app"),
        ({"aud": ["app", "other"]}, "aud is this app"),
        ({"nonce": "other"}, "nonce is the one that was sent"),
        ({"exp": 1}, "exp is ahead"),
        ({"iat": 9999999999}, "iat is past"),
        ({"at_hash": "AAAA"}, "at_hash fits the access token"),
        ({"auth_time": 1}, "auth_time is young enough"),
    ],
)
def test_each_wrong_claim_is_found(changes: dict[str, Any], failure: str) -> None:
    assert _failures(_id_token(**changes)) == [failure]


def test_a_foreign_signature_is_found() -> None:
    head, body, _ = _id_token().split(".")
    forged = f"{head}.{body}.{jose.b64encode(bytes(64))}"
    assert _failures(forged) == ["signed by a published key"]
    assert _failures(_id_token(), jwks={"keys": []}) == ["signed by a published key"]


def test_after_a_refresh_the_person_must_be_the_same() -> None:
    assert _failures(_id_token(), nonce=None, subject="ana") == []
    assert _failures(_id_token(), nonce=None, subject="eve") == ["sub is the same person as before"]


def test_an_access_token_is_not_an_id_token() -> None:
    failures = [check.what for check in check_access_token(_id_token(), jwks=JWKS, issuer=ISSUER) if not check.ok]
    assert failures == ["typ says access token"]
    assert check_access_token("opaque", jwks=JWKS, issuer=ISSUER) == []


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "....", "e30.W10.x"])
def test_what_is_no_token_is_shown_as_it_is(token: str) -> None:
    assert token in readable(token)
    assert subject_of(token) == ""
