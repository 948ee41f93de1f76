"""RFC 7523 and OpenID Connect Core 9: private_key_jwt and client_secret_jwt."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache
from joserfc.jwk import ECKey, OctKey

from idp.kernel import generations
from idp.oidc.clients.metadata import InvalidMetadata
from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.client_keys import assertion, ec_key, jwks, rsa_key, signed
from tests.support.racing import at_once

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def registered(world, **more):
    return world.app(
        type="service", registered_scope="api:read", token_endpoint_auth_method="private_key_jwt", jwks=jwks(ec_key(), rsa_key()), **more
    )


@pytest.fixture
def service(world):
    return registered(world)


def ask(app, token, **more):
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": token, **more}
    return app.channel.request("POST", "/token", form=form)


@pytest.mark.parametrize(
    ("alg", "audience"),
    [
        case("RFC 7523 3", "ES256, aud = issuer", "ES256", "{issuer}"),
        case("OIDC Core 9", "RS256, aud = token endpoint", "RS256", "{issuer}/token"),
        case("RFC 7519 4.1.3", "aud as array", "ES256", ["{issuer}"]),
    ],
)
def test_accepted_once(world, alg, audience):
    """By a classic client; others name the issuer alone."""
    service = registered(world, profile="oidc")
    here = json.loads(json.dumps(audience).replace("{issuer}", service.issuer))
    token = signed(ec_key() if alg == "ES256" else rsa_key(), assertion(service.client_id, here), alg=alg)
    assert ask(service, token).status == 200
    refused.as_json(ask(service, token), "invalid_client", status=401)  # RFC 7523 3 (7), hostile case CA-19


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        case("RFC 7523 3", "the issuer", "{issuer}", 200),
        case("hostile case CA-16", "token endpoint", "{issuer}/token", 401),
        case("hostile case CA-16", "array of the issuer alone", ["{issuer}"], 401),
        case("hostile case CA-16", "array with another server", ["{issuer}", "https://elsewhere.example"], 401),
        case("hostile case CA-16", "a slash more", "{issuer}/", 401),
    ],
)
def test_outside_of_the_classic_profile_the_audience_is_the_issuer_alone(service, audience, status):
    here = json.loads(json.dumps(audience).replace("{issuer}", service.issuer))
    assert ask(service, signed(ec_key(), assertion(service.client_id, here))).status == status


@clause("hostile case CA-19")
def test_one_assertion_sent_by_twenty_at_once_counts_once(service, transactional_db):
    token = signed(ec_key(), assertion(service.client_id, service.issuer))
    assert Counter(answer.status for answer in at_once(20, lambda _: ask(service, token))) == {200: 1, 401: 19}


@clause("hostile case CA-19")
def test_what_was_used_is_remembered_without_any_cache(service):
    token = signed(ec_key(), assertion(service.client_id, service.issuer))
    assert ask(service, token).status == 200
    cache.clear()
    generations.forget()
    assert ask(service, token).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        case("hostile case CA-16", "aud of another server", {"aud": "https://elsewhere.example"}),
        case("hostile case CA-16", "aud is a prefix", {"aud": "http://localho"}),
        case("hostile case CA-17", "iss is somebody else", {"iss": "other"}),
        case("hostile case CA-17", "sub is missing", {"sub": None}),
        case("hostile case CA-18", "exp missing", {"exp": None}),
        case("hostile case CA-18", "exp past", {"exp": timedelta(minutes=-5)}),
        case("hostile case CA-18", "exp far ahead", {"exp": timedelta(minutes=30)}),
        case("hostile case CA-18", "exp is no number", {"exp": float("nan")}),
        case("hostile case CA-18", "exp is beyond all time", {"exp": 1e308}),
        case("hostile case CA-18", "exp is negative", {"exp": -1}),
        case("hostile case CA-18", "exp is text", {"exp": "soon"}),
        case("hostile case CA-18", "exp is true", {"exp": True}),
        case("hostile case CA-18", "nbf in the future", {"nbf": timedelta(minutes=10)}),
        case("hostile case CA-18", "iat in the future", {"iat": timedelta(minutes=10)}),
        case("RFC 7523 3", "no jti", {"jti": None}),
    ],
)
def test_refused_for_what_it_claims(service, changes):
    moment = int(time.time())  # of the test: the table was made when the run began
    claims = {name: moment + int(value.total_seconds()) if isinstance(value, timedelta) else value for name, value in changes.items()}
    token = signed(ec_key(), assertion(service.client_id, service.issuer, **claims))
    refused.as_json(ask(service, token, client_id=service.client_id), "invalid_client", status=401)


KEY_IN_DER = ec_key().get_op_key("sign")


def forged(kind, client_id, issuer):
    claims = assertion(client_id, issuer)
    header = {"alg": "none"} if kind == "none" else {"alg": "nOnE"}
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")  # noqa: E731
    if kind == "public key as HMAC secret":
        return signed(OctKey.import_key(json.dumps(jwks(rsa_key())["keys"][0]).encode()), claims, alg="HS256")
    if kind == "other key":
        return signed(ec_key("stranger"), claims)
    if kind == "crit":
        token = signed(ec_key(), claims)
        return f"{part({'alg': 'ES256', 'crit': ['b64'], 'b64': True})}.{token.split('.', 1)[1]}"
    if kind in ("zeroes", "DER"):
        content = signed(ec_key(), claims).rsplit(".", 1)[0]
        signature = bytes(64) if kind == "zeroes" else KEY_IN_DER.sign(content.encode(), ec.ECDSA(hashes.SHA256()))
        return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    if kind == "other curve":
        return signed(ECKey.generate_key("P-384", {"kid": "ec"}, private=True), claims, alg="ES384", kid="ec")
    if kind == "jku":
        return signed(ec_key("stranger"), claims, jku="https://canary.example/jwks")
    return f"{part(header)}.{part(claims)}."


@pytest.mark.parametrize(
    "kind",
    [
        case("hostile case CA-10", "alg none", "none"),
        case("hostile case CA-10", "alg nOnE", "nOnE"),
        case("hostile case CA-11", "public key as HMAC secret", "public key as HMAC secret"),
        case("RFC 7523 3", "another key", "other key"),
        case("hostile case CA-15", "crit", "crit"),
        case("hostile case CA-13", "jku is never fetched", "jku"),
        case("hostile case CA-23", "r = s = 0", "zeroes"),
        case("hostile case CA-23", "the right signature as DER", "DER"),
        case("hostile case CA-23", "another curve under the same kid", "other curve"),
    ],
)
def test_refused_for_how_it_is_signed(service, kind):
    token = forged(kind, service.client_id, service.issuer)
    refused.as_json(ask(service, token, client_id=service.client_id), "invalid_client", status=401)


@clause("OIDC Core 9")
def test_client_secret_jwt(world):
    app = world.app(type="service", registered_scope="api:read", token_endpoint_auth_method="client_secret_jwt")
    key = OctKey.import_key(app.secret)
    token = signed(key, assertion(app.client_id, app.issuer), alg="HS256")
    assert ask(app, token).status == 200
    refused.as_json(ask(app, token), "invalid_client", status=401)
    wrong = signed(OctKey.import_key("x" * 43), assertion(app.client_id, app.issuer), alg="HS256")
    refused.as_json(ask(app, wrong), "invalid_client", status=401)


@clause("OIDC Core 9", "hostile case CA-05")
def test_a_secret_does_not_replace_the_assertion(service):
    answer = service.channel.request(
        "POST", "/token", form={"grant_type": "client_credentials", "client_id": service.client_id, "client_secret": "x"}
    )
    refused.as_json(answer, "invalid_client", status=401)


@pytest.mark.parametrize("bits", [512, 1024, 2047])
@clause("hostile case CA-23")
def test_weak_keys_are_not_registered(world, bits):
    modulus = base64.urlsafe_b64encode(b"\0" * 64 + ((1 << bits) - 1).to_bytes((bits + 7) // 8, "big")).decode().rstrip("=")
    weak = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "weak", "e": "AQAB", "n": modulus}
    with pytest.raises(InvalidMetadata, match="jwks"):
        world.app(type="service", token_endpoint_auth_method="private_key_jwt", jwks={"keys": [weak]})
