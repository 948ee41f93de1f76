"""RFC 7636 and RFC 9700 2.1.1, 4.8.2: proof key for code exchange."""

from __future__ import annotations

import pytest

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.rp import s256
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

CHALLENGES = [
    case("RFC 9700 2.1.1", "none", {"code_challenge": None, "code_challenge_method": None}, "pkce-required"),
    case("RFC 9700 2.1.1", "a method alone", {"code_challenge": None}, "pkce-required"),
    case("RFC 7636 4.3", "method omitted means plain", {"code_challenge_method": None}, "pkce-method-unsupported"),
    case("RFC 7636 4.4.1", "plain", {"code_challenge_method": "plain"}, "pkce-method-unsupported"),
    case("RFC 7636 4.4.1", "s256 in small letters", {"code_challenge_method": "s256"}, "pkce-method-unsupported"),
    case("RFC 7636 4.2", "42 characters", {"code_challenge": "x" * 42}, "pkce-challenge-malformed"),
    case("RFC 7636 4.2", "44 characters, padded", {"code_challenge": "x" * 43 + "="}, "pkce-challenge-malformed"),
    case("RFC 7636 4.2", "base64 instead of base64url", {"code_challenge": "+" * 43}, "pkce-challenge-malformed"),
    case("RFC 7636 4.2", "trailing line break", {"code_challenge": "x" * 43 + "\n"}, "pkce-challenge-malformed"),
]


@pytest.mark.parametrize("type_", ["web", "spa", "native"])
@pytest.mark.parametrize(("given", "code"), CHALLENGES)
@clause("PK-01", "PK-02", "PK-04")
def test_the_challenge(world, browser, type_, given, code):
    app = world.app(type=type_)
    refused.redirect(app.ask(browser, **given), "invalid_request", to=CALLBACK, state=app.last.state, issuer=app.issuer, code=code)


VERIFIERS = [
    case("RFC 7636 4.6", "wrong", "w" * 43),
    case("RFC 7636 4.5", "missing", None),
    case("RFC 7636 4.5", "empty", ""),
    case("RFC 7636 4.1", "42 characters", "w" * 42),
    case("RFC 7636 4.1", "129 characters", "w" * 129),
    case("RFC 7636 4.1", "illegal characters", "w" * 42 + "/"),
    case("RFC 7636 4.1", "letters beyond ASCII", "w" * 42 + "ä"),
    case("RFC 7636 4.6", "the challenge itself", "{challenge}"),
]


@pytest.mark.parametrize("verifier", VERIFIERS)
@clause("hostile case PK-05", "hostile case PK-08")
def test_the_verifier(shop, ada, browser, verifier):
    code = shop.code(browser)
    given = shop.last.parameters["code_challenge"] if verifier == "{challenge}" else verifier
    refused.as_json(shop.redeem(code, code_verifier=given), "invalid_grant", code="code-verifier-wrong")
    refused.as_json(shop.redeem(code), "invalid_grant", code="code-replayed")  # burned by the failed try


@pytest.mark.parametrize("length", [43, 128])
@clause("RFC 7636 4.1")
def test_the_shortest_and_the_longest_verifier(shop, ada, browser, length):
    verifier = ("aZ0-._~" * 20)[:length]
    code = shop.code(browser, code_challenge=s256(verifier))
    assert shop.redeem(code, code_verifier=verifier).status == 200


@clause("RFC 9700 2.1.1", "OIDC Core 3.1.2.1")
def test_classic_openid_clients_may_go_without(world, ada, browser):
    app = world.app(profile="oidc")
    code = app.code(browser, code_challenge=None, code_challenge_method=None)
    assert app.redeem(code).status == 200
    assert app.tokens(browser)["id_token"]  # and may use it (RFC 7636 6.1)


@clause("RFC 9700 4.8.2", "hostile case PK-07")
def test_a_verifier_without_challenge_is_a_downgrade(world, ada, browser):
    app = world.app(profile="oidc")
    code = app.code(browser, code_challenge=None, code_challenge_method=None)
    answer = app.redeem(code, code_verifier=app.last.verifier)
    refused.as_json(answer, "invalid_grant", code="code-verifier-unexpected")


@clause("RFC 9700 4.5.3.1", "hostile case PK-10")
def test_a_code_injected_into_another_attempt(world, shop, ada, browser):
    stolen = shop.code(browser)
    shop.begin()  # the attacker's own attempt, with a challenge of its own
    refused.as_json(shop.redeem(stolen), "invalid_grant", code="code-verifier-wrong")
