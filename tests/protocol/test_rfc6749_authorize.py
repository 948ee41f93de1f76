"""RFC 6749 3.1 and 4.1: the authorization request, and who hears of an error."""

from __future__ import annotations

import re

import pytest

from idp.kernel import generations
from idp.oidc.models import Client
from tests.support import refused
from tests.support.clauses import case, clause
from tests.support.rp import s256
from tests.support.world import CALLBACK

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)  # both doors hand the front channel to the same view

INTO_THE_PAGE = [
    case("RFC 6749 4.1.1", "no client_id", {"client_id": None}, "client-id-missing"),
    case("RFC 6749 3.1", "empty client_id counts as omitted", {"client_id": ""}, "client-id-missing"),
    case("RFC 6749 4.1.2.1", "unknown client", {"client_id": "nobody-knows-me"}, "client-unknown"),
    case("RFC 6749 4.1.2.1", "100 KB of client_id are too much to read", {"client_id": "x" * 100_000}, "request-too-large"),
    case("RFC 6749 4.1.2.1", "a client_id longer than any", {"client_id": "x" * 3000}, "client-unknown"),
    case("RFC 6749 3.1", "client_id twice", {"client_id": ["first-client", "second-client"]}, "duplicate-parameter"),
    case("RFC 6749 3.1", "redirect_uri twice", {"redirect_uri": [CALLBACK, CALLBACK]}, "duplicate-parameter"),
    case("OIDC Core 3.1.2.1", "no redirect_uri with openid", {"redirect_uri": None}, "redirect-uri-missing"),
    case("OIDC Core 3.1.2.1", "empty redirect_uri with openid", {"redirect_uri": ""}, "redirect-uri-missing"),
    case("RFC 6749 4.1.2.1", "unregistered redirect_uri", {"redirect_uri": "https://shop.example/other"}, "redirect-uri-mismatch"),
    case(
        "RFC 6749 4.1.2.1", "an error beside an unregistered redirect_uri",
        {"redirect_uri": "https://evil.example/", "response_type": "token"}, "redirect-uri-mismatch",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "code"), INTO_THE_PAGE)
@clause("AR-10", "AR-23", "RU-16")
def test_without_a_proved_app_nobody_is_sent_anywhere(shop, browser, given, code):
    refused.page(shop.ask(browser, **given), code, status=413 if code == "request-too-large" else 400)


@pytest.mark.parametrize(("given", "code"), INTO_THE_PAGE)
def test_the_same_by_post(shop, browser, given, code):
    answer = browser.post("/authorize", shop.begin(**given).parameters)
    refused.page(answer, code, status=413 if code == "request-too-large" else 400)


BACK_TO_THE_APP = [
    case("RFC 6749 3.1.1", "no response_type", {"response_type": None}, "invalid_request"),
    case("RFC 6749 3.1.1", "empty response_type", {"response_type": ""}, "invalid_request"),
    case("RFC 6749 4.1.2.1", "implicit", {"response_type": "token"}, "unsupported_response_type"),
    case("RFC 9700 2.1.2", "id_token", {"response_type": "id_token"}, "unsupported_response_type"),
    case("RFC 9700 2.1.2", "id_token token", {"response_type": "id_token token"}, "unsupported_response_type"),
    case("RFC 9700 2.1.2", "code token", {"response_type": "code token"}, "unsupported_response_type"),
    case("RFC 9700 2.1.2", "code id_token", {"response_type": "code id_token"}, "unsupported_response_type"),
    case("RFC 9700 2.1.2", "none", {"response_type": "none"}, "unsupported_response_type"),
    case("RFC 6749 3.1.1", "CODE: values are case sensitive", {"response_type": "CODE"}, "unsupported_response_type"),
    case("RFC 6749 3.1.1", "code code", {"response_type": "code code"}, "unsupported_response_type"),
    case("RFC 6749 3.1", "state twice: none comes back", {"state": ["one", "two"]}, "invalid_request"),
    case("RFC 6749 3.1", "scope twice", {"scope": ["openid", "email"]}, "invalid_request"),
    case("RFC 6749 3.1", "an unknown parameter twice", {"extra": ["one", "two"]}, "invalid_request"),
    case("RFC 6749 3.1", "nonce twice, same value", {"nonce": ["same", "same"]}, "invalid_request"),
    case("RFC 6749 3.3", "no scope", {"scope": None}, "invalid_scope"),
    case("RFC 6749 3.3", "only unknown scopes", {"scope": "read:everything"}, "invalid_scope"),
    case("RFC 6749 3.3", "no-break space is not a separator", {"scope": "openid\u00a0email"}, "invalid_scope"),
]


@pytest.mark.parametrize(("given", "error"), BACK_TO_THE_APP)
@clause("AR-02", "AR-10")
def test_with_a_proved_app_the_app_hears_the_error(shop, browser, given, error):
    answer = shop.ask(browser, **given)
    state = None if isinstance(given.get("state"), list) else shop.last.state
    refused.redirect(answer, error, to=CALLBACK, state=state, issuer=shop.issuer)
    assert "#" not in answer.location


@clause("RFC 6749 4.1.2", "RFC 6749 10.10", "hostile case CO-06")
def test_a_code_comes_back_and_nothing_else(shop, signed_in):
    members = shop.sign_in(signed_in)
    assert set(members) == {"code", "state", "iss"}
    assert len(members["code"]) >= 43  # 256 random bits


@clause("RFC 6749 4.1.1", "hostile case SN-01")
def test_state_is_optional_and_then_none_comes_back(shop, signed_in):
    assert set(shop.sign_in(signed_in, state=None)) == {"code", "iss"}


@pytest.mark.parametrize(
    "state",
    [
        case("RFC 6749 4.1.2", "punctuation", "-._~!$&'()*+,;=:@/?#[]%20"),
        case("RFC 6749 4.1.2", "1000 characters", "x" * 1000),
        case("RFC 6749 4.1.2", "line breaks are encoded", "one\r\nSet-Cookie: a=b"),
        case("RFC 6749 4.1.2", "letters of the world", "straße \U0001f600 \u202e"),
        case("RFC 6749 4.1.2", "markup", "<script>alert(1)</script>\"'"),
    ],
)
def test_state_comes_back_byte_by_byte(shop, signed_in, state):
    answer = shop.ask(signed_in, state=state)
    assert shop.arrive(answer)["state"] == state
    assert not any(character in answer.location for character in "\r\n<>\"' ")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@clause("RFC 9110 9.2.1", "hostile case AR-08")
def test_other_methods_get_405_and_no_code(shop, signed_in, method):
    answer = signed_in.request(method, shop.begin().url)
    assert answer.status == 405
    assert answer.header("Allow") == "GET, POST"
    assert answer.header("Location") is None


@clause("OIDC Core 3.1.2.1", "hostile case AR-09")
def test_post_is_answered_like_get(shop, signed_in):
    """A form of the same site (our cookies came along) is answered at once."""
    answer = signed_in.post("/authorize", shop.begin().parameters)
    assert answer.status == 303
    assert shop.arrive(answer)["code"]


@clause("OIDC Core 3.1.2.1", "hostile case AR-09")
def test_post_from_another_site_becomes_the_same_request_by_get(shop, signed_in, world):
    """SameSite keeps our cookies from a foreign form; the GET that follows has them and finds the person signed in."""
    answer = world.browser().post("/authorize", shop.begin(resource=None).parameters, Origin="https://shop.example")
    assert answer.status == 303
    assert shop.arrive(signed_in.get(answer.location))["code"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
@clause("OIDC Core 3.1.2.1")
def test_post_is_form_encoded(shop, signed_in, content_type):
    answer = signed_in.request("POST", "/authorize", body=b'{"client_id": "x"}', headers={"Content-Type": content_type})
    refused.page(answer, "content-type-unsupported")


@clause("RFC 6749 3.1")
def test_unknown_parameters_and_the_order_do_not_matter(shop, signed_in):
    attempt = shop.begin(extra="foobar", another="1")
    attempt.parameters = dict(reversed(attempt.parameters.items()))
    assert shop.arrive(signed_in.get(attempt.url))["code"]


@clause("RFC 6749 3.1.2.3")
def test_plain_oauth_may_leave_out_the_only_redirect_uri(world, ada, browser):
    """And then leaves it out at the token endpoint too (RFC 6749 4.1.3)."""
    api = world.app(scope="email")
    code = api.code(browser, redirect_uri=None)
    assert api.redeem(code).status == 200


@clause("RFC 6749 3.1.2.3")
def test_one_of_several_must_be_named(world, ada, browser):
    api = world.app(scope="email", redirect_uris=[CALLBACK, "https://shop.example/cb2"])
    refused.page(api.ask(browser, redirect_uri=None), "redirect-uri-missing")


@clause("RFC 6749 4.1.2.1", "hostile case TK-08")
def test_a_service_cannot_ask_people(world, browser):
    service = world.app("Robot", type="service", scope="openid")
    answer = browser.get(service.begin(redirect_uri=CALLBACK, code_challenge=s256("x")).url)
    refused.page(answer, "grant-type-not-allowed")


@clause("RFC 6749 4.1.2.1", "hostile case AR-07")
def test_a_client_cannot_use_the_redirect_uri_of_another(world, shop, signed_in):
    other = world.app("Other", redirect_uris=["https://other.example/cb"])
    refused.page(shop.ask(signed_in, redirect_uri=other.redirect_uri), "redirect-uri-mismatch")


@clause("RFC 6749 4.1.2.1")
def test_a_person_who_declines_is_answered_for(world, ada, browser):
    from tests.support.rp import through_pages

    shop = world.app()
    answer = through_pages(browser, shop.ask(browser), agree=False)
    refused.redirect(answer, "access_denied", to=CALLBACK, state=shop.last.state, issuer=shop.issuer, code="access-denied")
    assert 'id="consent-allow"' in browser.visit(shop.begin().url).text  # nothing was remembered


@clause("RFC 6749 3.3", "OIDC Core 3.1.2.1", "hostile case AR-15")
def test_unknown_scopes_are_ignored_and_never_granted(world, ada, browser):
    shop = world.app(scope="openid read:everything EMAIL")
    tokens = shop.tokens(browser)
    assert tokens["scope"] == "openid"


@clause("RFC 6749 3.3", "hostile case TK-07")
def test_standard_scopes_that_the_client_lacks_are_refused(world, browser):
    modest = world.app(registered_scope="openid email")
    answer = modest.ask(browser, scope="openid phone")
    refused.redirect(answer, "invalid_scope", to=CALLBACK, state=modest.last.state, issuer=modest.issuer)


@pytest.mark.parametrize(
    "scope",
    [
        case("hostile case AR-16", "10,000 words", " ".join(f"s{n}" for n in range(10_000))),
        case("hostile case AR-16", "1 MB", "s" * 1_000_000),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_scope_without_end_is_refused_unread(shop, browser, scope, method):
    attempt = shop.begin(scope=f"openid {scope}")
    answer = browser.get(attempt.url) if method == "GET" else browser.post("/authorize", attempt.parameters)
    assert answer.status in (400, 413)  # the second where our own reading of the form says so, the first from the framework before it
    assert answer.header("Location") is None
    assert b"ssss" not in answer.body


@clause("hostile case AR-18", "OIDC Core 5.5.1.1")
def test_a_level_that_nobody_can_reach(shop, signed_in):
    wish = shop.ask(signed_in, acr_values="urn:example:gold")
    token = shop.id_token(shop.redeem(shop.arrive(wish)["code"]).json()["id_token"], nonce=shop.last.nonce)
    assert token["acr"] != "urn:example:gold"  # a wish: the true level is said
    must = shop.ask(signed_in, claims='{"id_token": {"acr": {"essential": true, "values": ["urn:example:gold"]}}}')
    refused.redirect(must, "unmet_authentication_requirements", to=CALLBACK, state=shop.last.state, issuer=shop.issuer)


SELF_REGISTERED = {"response_type": "token"}, {"scope": "read:everything"}, {"code_challenge_method": "plain"}, {"prompt": "bogus"}


@pytest.fixture
def stranger(world):
    """An app that somebody registered by themselves; nobody here vouches for it."""
    app = world.app("Stranger")
    Client.objects.filter(client_id=app.client_id).update(registration_source=Client.RegistrationSource.DCR)
    generations.bump("clients")
    generations.forget()
    return app


@pytest.mark.parametrize("given", SELF_REGISTERED)
@clause("RFC 9700 4.11.2", "hostile case RU-21")
def test_a_self_registered_app_has_no_redirector_here(stranger, ada, browser, given):
    """Its deliberate mistakes stay on our page, which names where the button leads; somebody signed in, and a silent request, go on."""
    answer = stranger.ask(browser, **given)
    assert (answer.status, answer.header("Location")) == (400, None)
    assert 'id="error-page"' in answer.text
    assert "shop.example" in answer.text
    [onward] = re.findall(r'href="(https://shop\.example/cb\?[^"]+)"', answer.text)
    assert f"state={stranger.last.state}" in onward
    if given != {"prompt": "bogus"}:
        assert "error=" in stranger.ask(browser, **given, prompt="none").location
    stranger.sign_in(browser)
    assert "error=" in stranger.ask(browser, **given).location
