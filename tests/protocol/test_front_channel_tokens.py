"""OpenID Connect Core 3.2 and 3.3, OAuth 2.0 Multiple Response Type Encoding Practices: tokens through the browser, for classic clients."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.rp import through_pages
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

ALL = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]


@pytest.fixture
def classic(world):
    """A certification client: every response type, no PKCE."""
    return world.app(profile="oidc", response_types=ALL, scope="openid email")


def left_half(value: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).decode().rstrip("=")


@pytest.mark.parametrize(
    ("response_type", "members"),
    [
        case("OIDC Core 3.2.2.5", "id_token", "id_token", {"id_token"}),
        case("OIDC Core 3.2.2.5", "words in any order", "token id_token", {"id_token", "access_token", "token_type", "expires_in"}),
        case("OIDC Core 3.3.2.5", "code id_token", "code id_token", {"code", "id_token"}),
        case("OIDC Core 3.3.2.5", "code token", "code token", {"code", "access_token", "token_type", "expires_in"}),
        case("OIDC Core 3.3.2.5", "everything", "id_token code token", {"code", "id_token", "access_token", "token_type", "expires_in"}),
    ],
)
def test_each_type_brings_its_members_in_the_fragment(classic, ada, browser, response_type, members):
    answer = through_pages(browser, classic.ask(browser, response_type=response_type, code_challenge=None, code_challenge_method=None))
    assert "?" not in answer.location.partition("#")[0]
    found = classic.arrive(answer)
    assert set(found) - {"state", "iss", "session_state"} == members
    if "id_token" in found:
        claims = classic.id_token(found["id_token"], nonce=classic.last.nonce)
        assert claims.get("c_hash") == (left_half(found["code"]) if "code" in found else None)
        assert claims.get("at_hash") == (left_half(found["access_token"]) if "access_token" in found else None)
        # OIDC Core 5.4: without an access token the ID token has to carry the claims of the scopes.
        assert ("email" in claims) == (response_type == "id_token")
    if "access_token" in found:
        assert classic.userinfo(found["access_token"]).json()["email"] == "ada@example.org"
    if "code" in found:
        tokens = classic.redeem(found["code"]).json()
        assert classic.id_token(tokens["id_token"], nonce=classic.last.nonce)["sub"]


@clause("Form Post Response Mode 2")
def test_form_post_carries_tokens_too(classic, ada, browser):
    answer = through_pages(browser, classic.ask(browser, response_type="code id_token", response_mode="form_post"))
    assert set(classic.arrive(answer)) >= {"code", "id_token", "state"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        case("OIDC Core 3.2.2.1", "no nonce", {"response_type": "id_token", "nonce": None}, "invalid_request"),
        case(
            "Multiple Response Types 5", "tokens in a query", {"response_type": "code token", "response_mode": "query"}, "invalid_request"
        ),
        case("RFC 6749 4.2.2.1", "token alone", {"response_type": "token"}, "unsupported_response_type"),
        case("RFC 6749 3.1.1", "a word twice", {"response_type": "code code"}, "unsupported_response_type"),
    ],
)
def test_refused(classic, ada, browser, changes, error):
    answer = classic.ask(browser, **changes)
    refused.redirect(answer, error, to=CALLBACK, state=classic.last.state, issuer=classic.issuer)
    assert "access_token" not in answer.location


@clause("RFC 9700 2.1.2", "hostile case AR-02")
def test_never_for_clients_outside_the_classic_profile(shop, ada, browser):
    answer = shop.ask(browser, response_type="code id_token")
    refused.redirect(answer, "unsupported_response_type", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)
    assert "#" not in answer.location


@clause("OIDC Core 2", "OpenID Registration 2")
def test_an_unsigned_id_token_only_where_registered_and_only_from_the_token_endpoint(world, ada, browser):
    from idp.oidc.clients.metadata import InvalidMetadata

    plain = world.app(profile="oidc", id_token_signed_response_alg="none")
    tokens = plain.redeem(plain.code(browser, code_challenge=None, code_challenge_method=None)).json()
    assert tokens["id_token"].endswith(".")
    with pytest.raises(InvalidMetadata):
        world.app(profile="oidc", response_types=["id_token"], id_token_signed_response_alg="none")
    with pytest.raises(InvalidMetadata):
        world.app(id_token_signed_response_alg="none")
