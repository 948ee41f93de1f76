"""Signing in through another provider, as somebody would attack it: each found by reading the code line by line."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client

from idp.accounts.models import User
from idp.federation import documents, sign_out, upstreams
from idp.kernel import jose
from tests.flows.test_federation_choices import authorize, give_totp, shop  # noqa: F401 - a fixture
from tests.support.client_keys import rsa_key
from tests.support.factories import PASSWORD, make_person
from tests.support.upstream import FakeUpstream, go, session_of

pytestmark = pytest.mark.django_db


def test_a_key_that_asks_to_be_made_is_none(client: Client, corp: FakeUpstream):
    """A key set of a stranger: `generate` would cost minutes, or all memory."""
    bad = {"kty": "RSA", "generate": "RSA", "size": 16384, "n": "AQAB", "e": "AQAB"}
    began = time.monotonic()
    assert not jose.readable_jwk(bad)
    assert not jose.readable_jwk({"kty": "EC", "generate": "oct", "size": 10**15})
    with pytest.raises(jose.TokenRefused):
        jose.verify_foreign(
            corp.id_token("x"), [{**rsa_key().as_dict(private=False), "generate": "RSA", "size": 16384}], algorithms=["RS256"]
        )
    with pytest.raises(ValueError, match="does not fit"):
        jose.encrypt("x", bad, alg="RSA-OAEP-256", enc="A256GCM")
    assert time.monotonic() - began < 1
    honest = {**rsa_key().as_dict(private=False), "kid": rsa_key().thumbprint()}
    corp.answers = {"/keys": (200, {}, json.dumps({"keys": [bad, {"kty": "EC", "generate": "oct", "size": 10**15}, honest]}).encode())}
    assert go(client, corp)["Location"] == "/account"


def test_whether_an_address_is_verified_is_said_where_the_address_is(client: Client, corp: FakeUpstream):
    """GL-03: `email` of the ID token and `email_verified` of UserInfo may be about two addresses."""
    corp.person = {"sub": "u-1", "email": "victim@example.org"}
    corp.user_info = {"sub": "u-1", "email": "own@example.org", "email_verified": True}
    assert go(client, corp)["Location"] == "/login/link"
    corp.person, corp.user_info = {"sub": "u-1", "email_verified": True}, {"sub": "u-1", "email": "victim@example.org"}
    assert go(client, corp)["Location"] == "/login/link"
    assert not User.objects.exists()
    corp.person = {"sub": "u-1", "email": "own@example.org"}
    corp.user_info = {"sub": "u-1", "email": "own@example.org", "email_verified": True}
    assert go(client, corp)["Location"] == "/account"


def test_how_somebody_signed_in_is_said_by_the_signed_token_only(client: Client, corp: FakeUpstream):
    """GL-11."""
    upstreams.update("corp", trusted_acr=["mfa"])
    corp.user_info = {"sub": "u-1", "acr": "mfa", "amr": ["mfa"]}
    corp.person = {"sub": "u-1", "email": "ada@example.org", "email_verified": True}
    go(client, corp)
    assert corp.count("/userinfo") == 1
    assert session_of(client).acr == "urn:kairos:acr:1fa"


@pytest.mark.parametrize(
    "body",
    [
        b'{"sub": "u-1", "name": "\\ud800"}',
        b'{"sub": "u-1", "name": "\\u0000"}',
        b'{"sub": "u-1", "name": NaN, "name": 1e999}',
        b"[" * 9999,
    ],
    ids=["half a character", "NUL", "no number", "depth"],
)
def test_user_info_that_cannot_be_stored_is_left_out(client: Client, corp: FakeUpstream, body: bytes):
    corp.person = {"sub": "u-1", "email": "ada@example.org", "email_verified": True}
    corp.answers = {"/userinfo": (200, {"Content-Type": "application/json"}, body)}
    assert go(client, corp)["Location"] == "/account"
    assert User.objects.get().claims == {}


@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_a_parameter_twice_is_no_answer(client: Client, corp: FakeUpstream, name: str):
    """RFC 6749 3.1: which of the two would count is what a mix-up is made of."""
    corp.metadata = {"authorization_response_iss_parameter_supported": False}
    back = corp.arrive(client.post("/federation/corp/start")["Refresh"].removeprefix("0; url="))
    twice = [*back.items(), (name, "https://evil.example")]
    assert client.get(f"/federation/corp/callback?{urlencode(twice)}").status_code == 400
    assert not User.objects.exists()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://[", "null", "", "https://testserver:x", "ftp://testserver"])
def test_only_pages_of_ours_post_tokens(client: Client, corp: FakeUpstream, origin: str):
    upstreams.update("corp", posted_tokens=True)
    nonce = client.post("/federation/corp/nonce").json()["nonce"]
    answer = client.post("/federation/corp/token", {"credential": corp.id_token(nonce)}, headers={"origin": origin})
    assert answer.status_code == 403
    own = client.post("/federation/corp/token", {"credential": corp.id_token(nonce)}, headers={"origin": "http://testserver"})
    assert own.status_code == 200


@pytest.mark.parametrize("nonce", ["\u0000", "é", "x" * 5000])
def test_a_nonce_of_odd_characters_is_refused(client: Client, corp: FakeUpstream, nonce: str):
    """An attacker chooses the nonce that the provider signs."""
    upstreams.update("corp", posted_tokens=True)
    client.post("/federation/corp/nonce")
    token = corp.id_token(nonce)
    assert client.post("/federation/corp/token", {"credential": token}).status_code == 401
    corp.claims = {"nonce": nonce, "at_hash": nonce}
    assert go(client, corp).status_code == 400


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/login/link\t//evil.example"])
def test_nothing_leads_elsewhere_afterwards(client: Client, corp: FakeUpstream, to: str):
    """BR-11: neither after signing in nor after saying no, linking or not linking."""
    assert go(client, corp, next=to)["Location"] == "/account"
    client.post("/logout")
    other = Client()
    back = corp.arrive(other.post("/federation/corp/start", {"next": to})["Refresh"].removeprefix("0; url="))
    said_no = other.get("/federation/corp/callback", {"error": "access_denied", "state": back["state"]})
    assert urlsplit(said_no["Location"]).path == "/login"
    assert "evil" not in said_no["Location"]
    upstreams.update("corp", posted_tokens=True)
    nonce = other.post("/federation/corp/nonce").json()["nonce"]
    assert other.post("/federation/corp/token", {"credential": corp.id_token(nonce), "next": to}).json() == {"continue": "/account"}


def test_linking_is_said_in_so_many_words(client: Client, corp: FakeUpstream):
    """A form without the decision links nothing."""
    make_person()
    go(client, corp)
    client.post("/login", {"login": "ada@example.org", "password": PASSWORD, "next": "/login/link"})
    assert client.post("/login/link").status_code == 400
    assert client.post("/login/link", {"decision": "x"}).status_code == 400
    assert client.post("/login/link", {"decision": "link"})["Location"] == "/account"


def test_what_one_person_left_there_is_not_shown_to_the_next(client: Client, corp: FakeUpstream):
    """A sign-in that stopped before its second step keeps its ID token for nobody else."""
    corp.metadata = {"end_session_endpoint": f"{corp.issuer}/end"}
    upstreams.update("corp", logout=True)
    go(client, corp)
    give_totp(User.objects.get())
    shared = Client()
    assert go(shared, corp)["Location"].startswith("/login/second-factor")
    make_person(email="eve@example.org")
    shared.post("/login", {"login": "eve@example.org", "password": PASSWORD})
    page = shared.get("/logout").content.decode()
    answer = shared.post("/logout/confirm", {"kept": page.split('name="kept" value="')[1].split('"')[0]})
    assert answer["Location"] == "/logout/done"
    assert sign_out.KEY not in shared.session


def test_a_wish_to_be_asked_goes_there_as_well(client: Client, corp: FakeUpstream, shop: dict[str, Any]):  # noqa: F811
    """OpenID Connect Core 3.1.2.1: nobody is signed in here, somebody may be there: prompt=login asks them."""
    answer = client.get(authorize(client, shop, idp_hint="corp", prompt="login")["Location"])
    sent = parse_qs(urlsplit(answer["Location"]).query)
    assert (sent["prompt"], sent["max_age"]) == (["login"], ["0"])
    corp.claims = {"auth_time": 1_700_000_000}
    back = corp.arrive(answer["Location"])
    assert client.get(f"/federation/corp/callback?{urlencode(back)}").status_code == 400
    corp.claims = {}
    other = Client()
    back = corp.arrive(other.get(authorize(other, shop, idp_hint="corp", max_age="0")["Location"])["Location"])
    assert other.get(f"/federation/corp/callback?{urlencode(back)}")["Location"].startswith("/authorize/resume")
    plain = Client()
    assert "prompt" not in plain.get(authorize(plain, shop, idp_hint="corp")["Location"])["Location"]


def test_an_endless_address_is_cut(client: Client, corp: FakeUpstream):
    upstreams.update("corp", domains=["corp.example"])
    long = "a" * (254 - len("@corp.example")) + "@corp.example"
    answer = client.post("/login", {"login": long + "x" * 100_000})
    assert len(answer["Refresh"]) < 2000


def test_a_session_that_somebody_planted_is_another_one_afterwards(client: Client, corp: FakeUpstream):
    """Session fixation: signing in gives a new session identifier."""
    make_person()
    go(client, corp)  # leaves a session: somebody waits to be linked
    before = client.session.session_key
    assert before
    corp.person |= {"sub": "u-2", "email": "eve@example.org"}
    assert go(client, corp)["Location"] == "/account"
    assert client.session.session_key != before


def test_keys_of_one_provider_are_not_anothers(client: Client, corp: FakeUpstream):
    """Mix-up: a provider that points to the endpoints of another one gets no code, and what comes is no answer of its own."""
    upstreams.add(name="evil", issuer=corp.issuer + "/evil", client_id=corp.client_id, secret=corp.client_secret)
    document = {**corp.document(), "issuer": corp.issuer + "/evil"}
    corp.answers = {"/evil/.well-known/openid-configuration": (200, {}, json.dumps(document).encode())}
    documents.forget()
    left = client.post("/federation/evil/start")["Refresh"].removeprefix("0; url=")
    back = corp.arrive(left)
    assert corp.asked[-1][2]["redirect_uri"].endswith("/federation/evil/callback")
    for name in ("corp", "evil"):
        assert client.get(f"/federation/{name}/callback?{urlencode(back)}").status_code == 400
    assert not User.objects.exists()
