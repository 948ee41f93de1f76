"""OIDC Core 2, 3.1.2 and 5.5: prompt, max_age, hints, claims, acr, display, locales; the ID token."""

from __future__ import annotations

import json

import pytest
import time_machine

from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.factories import PASSWORD
from tests.support.rp import through_pages
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

NOON = "2027-01-01T12:00:00Z"


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


MALFORMED = [
    case("OIDC Core 3.1.2.1", "prompt=none login", {"prompt": "none login"}, "invalid_request"),
    case("hostile case SN-13", "prompt=bogus", {"prompt": "bogus"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "prompt=LOGIN", {"prompt": "LOGIN"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age=-1", {"max_age": "-1"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age=abc", {"max_age": "abc"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age=1e9", {"max_age": "1e9"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age=1.5", {"max_age": "1.5"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age=10^24", {"max_age": "1" + "0" * 24}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age in other digits", {"max_age": "\u0661\u0662"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age with a line break", {"max_age": "10\n"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "max_age twice", {"max_age": ["1", "1"]}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "display=bogus", {"display": "bogus"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "a nonce of 2000 characters", {"nonce": "n" * 2000}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "id_token_hint: junk", {"id_token_hint": "junk"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "id_token_hint: three dots", {"id_token_hint": "a.b.c"}, "invalid_request"),
    case("OIDC Core 3.1.2.1", "id_token_hint: 15 KB", {"id_token_hint": "a" * 15_000}, "invalid_request"),
    case("OIDC Core 6.1", "request", {"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"),
    case("OIDC Core 6.2", "request_uri", {"request_uri": "https://shop.example/r"}, "invalid_request_uri"),
    case("hostile case PJ-07", "request_uri inside", {"request_uri": "http://169.254.169.254/latest"}, "invalid_request_uri"),
    case("OIDC Core 7.2.1", "registration", {"registration": "{}"}, "registration_not_supported"),
    case("OIDC Core 5.5", "claims: no JSON", {"claims": "name"}, "invalid_request"),
    case("OIDC Core 5.5", "claims: list", {"claims": "[]"}, "invalid_request"),
    case("OIDC Core 5.5", "claims: text", {"claims": '"name"'}, "invalid_request"),
    case("OIDC Core 5.5", "claims: target is a list", {"claims": '{"userinfo": ["name"]}'}, "invalid_request"),
    case("OIDC Core 5.5.1", "claims: claim is true", {"claims": '{"userinfo": {"name": true}}'}, "invalid_request"),
    case("OIDC Core 5.5.1", "claims: essential is text", {"claims": '{"userinfo": {"name": {"essential": "yes"}}}'}, "invalid_request"),
    case("OIDC Core 5.5.1", "claims: values is text", {"claims": '{"userinfo": {"name": {"values": "x"}}}'}, "invalid_request"),
    case("hostile case PX-09", "claims: member twice", {"claims": '{"userinfo": {}, "userinfo": {}}'}, "invalid_request"),
    case("hostile case PX-09", "claims: NaN", {"claims": '{"userinfo": {"name": {"value": NaN}}}'}, "invalid_request"),
    case("hostile case PX-09", "claims: 1e400", {"claims": '{"userinfo": {"name": {"value": 1e400}}}'}, "invalid_request"),
    case("hostile case PX-09", "claims: NUL", {"claims": '{"userinfo": {"name": {"value": "\\u0000"}}}'}, "invalid_request"),
    case("hostile case PX-09", "claims: half a surrogate", {"claims": '{"userinfo": {"name": {"value": "\\ud800"}}}'}, "invalid_request"),
    case("hostile case AR-13", "claims: 7000 deep", {"claims": "[" * 7000}, "invalid_request"),
    case(
        "hostile case AR-13", "claims: a value 300 deep",
        {"claims": '{"userinfo": {"name": {"value": ' + "[" * 300 + "]" * 300 + "}}}"}, "invalid_request",
    ),
    case("hostile case AR-13", "claims: 15 KB", {"claims": '{"userinfo": {' + " " * 15_000 + "}}"}, "invalid_request"),
    case(
        "OIDC Core 5.5.1.1", "an essential acr that nobody reaches",
        {"claims": '{"id_token": {"acr": {"essential": true, "values": ["urn:mace:silver"]}}}'}, "unmet_authentication_requirements",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "error"), MALFORMED)
@clause("hostile case SN-07", "hostile case SN-10", "hostile case SN-11")
def test_malformed(shop, browser, given, error):
    refused.redirect(shop.ask(browser, **given), error, to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@pytest.mark.parametrize(("given", "error"), MALFORMED[-14:-1])
def test_the_same_for_somebody_signed_in(shop, signed_in, given, error):
    """Whoever is signed in gets as far as the database: nothing malformed may."""
    refused.redirect(shop.ask(signed_in, **given), error, to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


ACCEPTED = [
    *[case("OIDC Core 3.1.2.1", f"display={value}", {"display": value}) for value in ("page", "popup", "touch", "wap")],
    case("OIDC Core 3.1.2.1", "a locale that nobody speaks", {"ui_locales": "se tlh"}),
    case("OIDC Core 5.2", "claims_locales", {"claims_locales": "se de-AT"}),
    case("OIDC Core 3.1.2.1", "login_hint of nobody", {"login_hint": "buffy@id.example"}),
    case("hostile case SN-12", "login_hint: markup", {"login_hint": "<script>alert(1)</script>"}),
    case("hostile case SN-12", "login_hint: 8 KB", {"login_hint": "x" * 8000}),
    case("OIDC Core 3.1.2.1", "acr_values that nobody knows", {"acr_values": "1 2"}),
    case("OIDC Core 5.5", "claims: unknown members", {"claims": '{"else": [1], "userinfo": {"http://x/": null, "name": {"more": 1}}}'}),
    case("OIDC Core 5.5", "claims: null", {"claims": '{"userinfo": null, "id_token": null}'}),
    case("OIDC Core 3.1.2.1", "max_age=0315360000 seconds", {"max_age": "315360000"}),
]


@pytest.mark.parametrize("given", ACCEPTED)
def test_accepted(shop, ada, browser, given):
    tokens = shop.tokens(browser, **given)
    assert tokens["id_token"]
    assert "<script>alert" not in browser.visit(shop.begin(**given, prompt="login").url).text


# --- prompt


@pytest.mark.parametrize("given", [{}, {"max_age": "0"}, {"login_hint": "ada@example.org"}, {"acr_values": "x"}], ids=str)
@clause("OIDC Core 3.1.2.6", "hostile case SN-05")
def test_prompt_none_without_anybody(shop, browser, given):
    answer = shop.ask(browser, prompt="none", **given)
    refused.redirect(answer, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@clause("OIDC Core 3.1.2.6", "hostile case SN-06")
def test_prompt_none_without_consent(world, shop, signed_in):
    other = world.app("Other")
    for app, changes in ((other, {}), (shop, {"scope": "openid email"}), (shop, {"scope": "openid offline_access"})):
        answer = app.ask(signed_in, prompt="none", **changes)
        refused.redirect(answer, "consent_required", to=CALLBACK, state=app.last.state, issuer=app.issuer)


@clause("OIDC Core 3.1.2.1")
def test_prompt_none_with_everything_in_place(clock, shop, signed_in):
    before = shop.tokens(signed_in)["id_token"]
    old = shop.id_token(before, nonce=shop.last.nonce)
    clock.shift(100)
    answer = shop.ask(signed_in, prompt="none", id_token_hint=before)
    new = shop.id_token(shop.redeem(shop.arrive(answer)["code"]).json()["id_token"], nonce=shop.last.nonce)
    assert (new["sub"], new["auth_time"]) == (old["sub"], old["auth_time"])


@clause("OIDC Core 3.1.2.1", "hostile case SN-08")
def test_prompt_login_asks_again_whatever_the_url_says(clock, shop, ada, browser):
    first = shop.id_token(shop.tokens(browser)["id_token"], nonce=shop.last.nonce)
    clock.shift(2)
    page = browser.follow(shop.ask(browser, prompt="login"))
    assert 'id="login-submit"' in page.text
    attempt = shop.last
    # Going straight to where the page would lead changes nothing: the stored request decides.
    interaction = page.sent.target.partition("interaction=")[2]
    again = browser.visit(f"/authorize/resume?interaction={interaction}&prompt=none")
    assert 'id="login-submit"' in again.text
    code = shop.arrive(through_pages(browser, page), attempt)["code"]
    second = shop.id_token(shop.redeem(code, attempt).json()["id_token"], nonce=attempt.nonce)
    assert second["auth_time"] == first["auth_time"] + 2


@clause("OIDC Core 3.1.2.1")
def test_prompt_consent_asks_although_remembered(shop, signed_in):
    page = signed_in.follow(shop.ask(signed_in, prompt="consent"))
    assert shop.arrive(signed_in.follow(signed_in.submit(page, button="consent-allow")))["code"]


@clause("OIDC Core 3.1.2.1")
def test_prompt_select_account(shop, signed_in):
    page = signed_in.follow(shop.ask(signed_in, prompt="select_account"))
    assert page.status == 200
    assert "ada@example.org" in page.text
    answer = signed_in.post("/login", {**page.form().fields, "continue": "1"}, Origin=signed_in.origin)
    assert shop.arrive(signed_in.follow(answer))["code"]


@clause("Initiating User Registration 1.0 4")
def test_prompt_create_shows_the_registration(shop, browser):
    page = browser.follow(shop.ask(browser, prompt="create"))
    assert page.sent.target.startswith("/signup?interaction=")


@clause("hostile case SN-13")
def test_prompt_create_while_nobody_may_sign_up(shop, ada, browser, settings):
    settings.IDP = settings.IDP.model_copy(update={"signup": "closed"})
    page = browser.follow(shop.ask(browser, prompt="create"))
    assert page.sent.target.startswith("/login?interaction=")
    assert shop.arrive(through_pages(browser, page))["code"]


@pytest.mark.parametrize("order", ["login consent", "consent login"])
@clause("OIDC Core 3.1.2.1")
def test_prompts_combine(shop, signed_in, order):
    page = signed_in.follow(shop.ask(signed_in, prompt=order))
    answer = signed_in.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD)
    page = signed_in.follow(answer)
    assert 'id="consent-allow"' in page.text
    assert shop.arrive(through_pages(signed_in, page))["code"]


# --- max_age


@pytest.mark.parametrize(
    ("max_age", "passed", "asked"),
    [
        case("OIDC Core 3.1.2.1", "0 always asks", "0", 1, True),
        case("OIDC Core 3.1.2.1", "1 after 2 seconds", "1", 2, True),
        case("OIDC Core 3.1.2.1", "10000 after 2 seconds", "10000", 2, False),
        case("OIDC Core 3.1.2.1", "exactly as old as allowed", "60", 60, False),
    ],
)
@clause("hostile case SN-09")
def test_max_age(clock, shop, ada, browser, max_age, passed, asked):
    first = shop.id_token(shop.tokens(browser, max_age="15000")["id_token"], nonce=shop.last.nonce)
    clock.shift(passed)
    page = browser.follow(shop.ask(browser, max_age=max_age))
    assert ('id="login-submit"' in page.text) == asked
    code = shop.arrive(through_pages(browser, page))["code"]
    second = shop.id_token(shop.redeem(code).json()["id_token"], nonce=shop.last.nonce)
    assert second["auth_time"] == first["auth_time"] + (passed if asked else 0)


@clause("OIDC Core 3.1.2.6")
def test_max_age_passed_under_prompt_none(clock, shop, signed_in):
    clock.shift(120)
    answer = shop.ask(signed_in, max_age="60", prompt="none")
    refused.redirect(answer, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@clause("OIDC Registration 2")
def test_default_max_age_of_the_client(clock, world, ada, browser):
    app = world.app(default_max_age=60)
    app.tokens(browser)
    clock.shift(61)
    assert 'id="login-submit"' in browser.follow(app.ask(browser)).text


# --- hints


@clause("OIDC Core 3.1.2.1", "hostile case SN-11")
def test_a_hint_about_somebody_else_never_gets_this_session(world, shop, ada, browser):
    hint = shop.tokens(browser)["id_token"]
    world.person("bob@example.org")
    bobs = world.browser()
    shop.code(bobs, email="bob@example.org")
    answer = shop.ask(bobs, id_token_hint=hint, prompt="none")
    refused.redirect(answer, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)
    page = bobs.follow(shop.ask(bobs, id_token_hint=hint))
    assert 'id="login-submit"' in page.text
    wrong = through_pages(bobs, page, email="bob@example.org")  # the same person again: the app hears it, nobody goes in circles
    refused.redirect(wrong, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)
    page = bobs.follow(shop.ask(bobs, id_token_hint=hint))
    code = shop.arrive(through_pages(bobs, page))["code"]
    assert shop.id_token(shop.redeem(code).json()["id_token"], nonce=shop.last.nonce)["sub"] == str(ada.pk)


@clause("OIDC Core 3.1.2.1")
def test_an_expired_hint_is_still_a_hint(clock, shop, ada, browser):
    hint = shop.tokens(browser)["id_token"]
    clock.shift(3600)
    assert shop.arrive(shop.ask(browser, id_token_hint=hint, prompt="none"))["code"]


@clause("OIDC Core 5.5.1", "OIDC Core 3.1.2.6")
def test_a_sub_that_is_asked_for_by_claims(world, shop, signed_in):
    wanted = json.dumps({"id_token": {"sub": {"value": "somebody-else"}}})
    answer = shop.ask(signed_in, claims=wanted, prompt="none")
    refused.redirect(answer, "login_required", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


@clause("OIDC Core 3.1.2.1")
def test_an_access_token_is_no_hint(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    answer = shop.ask(browser, id_token_hint=token, prompt="none")
    refused.redirect(answer, "invalid_request", to=CALLBACK, state=shop.last.state, issuer=shop.issuer, code="id-token-hint-invalid")


# --- the ID token


@clause("OIDC Core 2", "OIDC Core 3.1.3.6", "OIDC Core 5.4")
def test_the_id_token_says_what_happened_and_nothing_more(clock, world, shop, browser):
    import base64
    import hashlib

    ada = world.person(claims={"name": "Ada Lovelace", "phone_number": "+44 1"})
    tokens = shop.tokens(browser, scope="openid profile email phone")
    claims = shop.id_token(tokens["id_token"], nonce=shop.last.nonce)
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "auth_time", "acr", "amr", "sid", "at_hash", "nonce"}
    assert claims["sub"] == str(ada.pk)
    assert claims["aud"] == shop.client_id
    assert (claims["exp"] - claims["iat"], claims["auth_time"]) == (300, claims["iat"])
    assert (claims["acr"], claims["amr"]) == ("urn:kairos:acr:1fa", ["pwd"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")


@pytest.mark.parametrize("nonce", [None, "n", "n" * 43, "n" * 384, "with space & <signs> äöü"])
@clause("OIDC Core 3.1.2.1", "OIDC Core 15.5.2")
def test_the_nonce_comes_back_as_sent(shop, ada, browser, nonce):
    code = shop.code(browser, nonce=nonce)
    shop.id_token(shop.redeem(code).json()["id_token"], nonce=nonce)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "EdDSA"])
@clause("OIDC Registration 2", "OIDC Core 15.1")
def test_the_registered_algorithm_signs(world, ada, browser, algorithm):
    app = world.app(id_token_signed_response_alg=algorithm, access_token_alg=algorithm)
    tokens = app.tokens(browser)
    assert app.verified(tokens["access_token"], typ="at+jwt")["sub"] == str(ada.pk)


CLAIMS = [
    case("OIDC Core 5.5", "asked for one by one in the ID token", "id_token", {"email": None}, {"email": "ada@example.org"}),
    case("OIDC Core 5.5", "essential", "id_token", {"name": {"essential": True}}, {"name": "Ada"}),
    case("OIDC Core 5.5.1", "fitting value", "id_token", {"name": {"value": "Ada"}}, {"name": "Ada"}),
    case("OIDC Core 5.5.1", "one of values", "id_token", {"name": {"values": ["Eve", "Ada"]}}, {"name": "Ada"}),
    case("OIDC Core 5.5.1", "other value", "id_token", {"name": {"value": "Eve"}}, {}),
    case("OIDC Core 5.5", "unknown claim", "id_token", {"shoe_size": {"essential": True}}, {}),
    case("OIDC Core 5.5", "what the person has no value for", "id_token", {"nickname": {"essential": True}}, {}),
    case("OIDC Core 5.5", "userinfo only", "userinfo", {"email": None}, {}),
    case(
        "hostile case TK-18", "columns that are no claims", "id_token", {"password": None, "is_staff": None, "credential_epoch": None}, {}
    ),
    case("OIDC Core 5.5.1.1", "a voluntary acr out of reach", "id_token", {"acr": {"values": ["gold"]}}, {}),
    case("OIDC Core 5.5", "protocol claims cannot be forged", "id_token", {"iss": {"value": "https://evil.example"}}, {}),
]


@pytest.mark.parametrize(("target", "wanted", "expected"), CLAIMS)
def test_claims(world, shop, browser, target, wanted, expected):
    world.person(claims={"name": "Ada"})
    tokens = shop.tokens(browser, claims=json.dumps({target: wanted}))
    technical = {"iss", "sub", "aud", "iat", "exp", "auth_time", "acr", "amr", "sid", "at_hash", "nonce"}
    claims = shop.id_token(tokens["id_token"], nonce=shop.last.nonce)
    assert {name: value for name, value in claims.items() if name not in technical} == expected
    assert claims["iss"] == world.issuer
    userinfo = shop.userinfo(tokens["access_token"]).json()
    assert set(userinfo) == {"sub"} | (set(wanted) if target == "userinfo" else set())


@clause("OIDC Core 5.5", "hostile case AR-14")
def test_claims_beyond_the_client_and_beyond_consent(world, ada, browser):
    app = world.app(registered_scope="openid profile")
    wanted = json.dumps({"userinfo": {"email": {"essential": True}}, "id_token": {"email": None}})
    tokens = app.tokens(browser, claims=wanted)
    assert "email" not in app.id_token(tokens["id_token"], nonce=app.last.nonce)
    assert app.userinfo(tokens["access_token"]).json() == {"sub": str(ada.pk)}


@clause("OIDC Core 3.1.2.4", "hostile case TK-09")
def test_claims_need_consent_of_their_own(world, shop, signed_in):
    page = signed_in.follow(shop.ask(signed_in, claims=json.dumps({"id_token": {"email": None}})))
    assert 'id="consent-allow"' in page.text


@clause("OIDC Core 3.1.2.1", "hostile case AR-17")
def test_without_openid_there_is_no_id_token_and_no_userinfo(world, ada, browser):
    api = world.app(scope="email")
    tokens = api.tokens(browser)
    assert "id_token" not in tokens
    refused.challenge(api.userinfo(tokens["access_token"]), "insufficient_scope", status=403)


# --- consent


@clause("OIDC Core 3.1.2.4", "hostile case TK-09")
def test_more_than_before_is_asked_and_exactly_the_shown_is_granted(shop, signed_in):
    page = signed_in.follow(shop.ask(signed_in, scope="openid phone"))
    assert "phone" in page.text.lower()
    code = shop.arrive(through_pages(signed_in, page))["code"]
    assert shop.redeem(code).json()["scope"] == "openid phone"
    assert shop.redeem(shop.arrive(shop.ask(signed_in, scope="openid"))["code"]).json()["scope"] == "openid"


@clause("OIDC Core 3.1.2.4", "hostile case TK-09")
def test_consent_of_one_person_is_not_that_of_another(world, shop, signed_in):
    world.person("bob@example.org")
    bobs = world.browser()
    page = bobs.submit(bobs.follow(shop.ask(bobs)), button="login-submit", login="bob@example.org", password=PASSWORD)
    assert 'id="consent-allow"' in bobs.follow(page).text


@clause("OIDC Core 3.1.2.4")
def test_first_party_apps_are_not_asked_about(world, ada, browser):
    app = world.app(first_party=True)
    page = browser.submit(browser.follow(app.ask(browser)), button="login-submit", login="ada@example.org", password=PASSWORD)
    assert app.arrive(browser.follow(page))["code"]
