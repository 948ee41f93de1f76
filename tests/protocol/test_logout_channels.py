"""OpenID Connect Front-Channel Logout 1.0, Back-Channel Logout 1.0, Session Management 1.0."""

from __future__ import annotations

import hashlib
import re
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.accounts import people
from idp.kernel import outbound
from idp.notifications import delivery
from idp.oidc.clients import cache
from idp.oidc.logout import back_channel
from tests.support.browser import encoded
from tests.support.clauses import clause

pytestmark = [pytest.mark.parametrize("world", ["thin"], indirect=True), pytest.mark.django_db]

BACK = "https://shop.example/bye"


@pytest.fixture
def shop(world):
    return world.app(
        profile="oidc",
        post_logout_redirect_uris=[BACK],
        frontchannel_logout_uri="https://shop.example/front?a=1",
        backchannel_logout_uri="https://shop.example/back",
        userinfo_signed_response_alg="RS256",
    )


@clause("Front-Channel Logout 2", "Front-Channel Logout 3")
def test_every_client_of_the_session_is_framed_with_iss_and_sid(world, shop, ada, browser):
    tokens = shop.tokens(browser)
    sid = shop.id_token(tokens["id_token"], nonce=shop.last.nonce)["sid"]
    page = browser.get(f"/logout?{encoded({'id_token_hint': tokens['id_token'], 'post_logout_redirect_uri': BACK, 'state': 's'})}")
    assert page.status == 200
    frame = re.search(r'<iframe src="([^"]+)"', page.text)
    assert frame is not None
    query = parse_qs(urlsplit(frame[1].replace("&amp;", "&")).query)
    assert query == {"a": ["1"], "iss": [shop.issuer], "sid": [sid]}
    assert f'href="{BACK}?state=s"' in page.text
    assert "frame-src https://shop.example" in (page.header("Content-Security-Policy") or "")


@clause("Back-Channel Logout 2.4", "hostile case LO-07")
def test_the_logout_token(world, shop, ada):
    client = cache.get(shop.client_id)
    assert client is not None
    claims = shop.verified(back_channel.logout_token(client, sid="s1", user_id=ada.pk, jti="j1"), typ="logout+jwt", audience=shop.client_id)
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert (claims["sid"], claims["sub"], claims["jti"]) == ("s1", str(ada.pk), "j1")
    assert claims["exp"] - claims["iat"] <= 120
    assert "nonce" not in claims


@clause("Back-Channel Logout 2.5")
def test_signing_out_puts_one_message_per_client_in_the_outbox(world, shop, ada, browser):
    from idp.events.models import Delivery

    other = world.app("Other", profile="oidc")
    tokens = shop.tokens(browser)
    other.code(browser)
    browser.get(f"/logout?{encoded({'id_token_hint': tokens['id_token']})}")
    assert list(Delivery.objects.filter(receiver="backchannel_logout").values_list("attempts", flat=True)) == [0]


def told() -> list[str]:
    """The logout tokens that a worker sends when it looks twice."""
    with mock.patch.object(outbound, "fetch") as sent:
        sent.return_value.status = 200
        delivery.deliver_due()
        delivery.deliver_due()
    return [parse_qs(call.kwargs["content"].decode())["logout_token"][0] for call in sent.call_args_list]


@pytest.mark.django_db(transaction=True)
@clause("Back-Channel Logout 2.7", "hostile case LO-09")
def test_sessions_that_end_without_a_browser_are_told_too(world, shop, ada, browser):
    """Once per session and app, by a worker; what is still open afterwards is not told."""
    shop.code(browser)
    shop.code(world.browser())
    people.sign_out_everywhere(ada)
    shop.code(world.browser())  # signs in again
    tokens = told()
    sids = {shop.verified(token, typ="logout+jwt", audience=shop.client_id)["sid"] for token in tokens}
    assert (len(tokens), len(sids)) == (2, 2)


@pytest.mark.django_db(transaction=True)
@clause("Back-Channel Logout 2.7", "hostile case KT-11")
def test_when_everybody_is_signed_out_every_app_is_told(world, shop, ada, browser):
    """One delivery per person: a worker that dies in between goes on with who is left, and repeats nobody."""
    from idp.events.models import Delivery, EventRecord
    from idp.oidc.logout.sessions_over import RECEIVER
    from tests.support.factories import make_person

    make_person(email="grace@example.org")
    shop.code(browser)
    shop.code(world.browser(), email="grace@example.org")
    people.sign_out_everybody()
    shop.code(world.browser())  # signs in again
    record = EventRecord.objects.get(name="account.all_signed_out")
    RECEIVER.compose(record, Delivery.objects.get(event=record.pk, receiver="sessions_over"))  # died before it could say that it was done
    tokens = told()
    subs = {shop.verified(token, typ="logout+jwt", audience=shop.client_id)["sub"] for token in tokens}
    assert (len(tokens), len(subs)) == (2, 2)
    assert set(Delivery.objects.filter(event=record.pk).values_list("state", flat=True)) == {"done"}


@clause("hostile case PJ-09", "hostile case TK-02")
def test_a_logout_token_is_good_for_nothing_else(world, shop, ada, browser):
    client = cache.get(shop.client_id)
    assert client is not None
    token = back_channel.logout_token(client, sid="s1", user_id=ada.pk, jti="j1")
    assert shop.userinfo(token).status == 401
    assert browser.get(f"/logout?{encoded({'id_token_hint': token})}").status == 400


@clause("Session Management 2", "Session Management 3.2")
def test_session_state_follows_the_session(world, shop, ada, browser):
    found = shop.sign_in(browser)
    digest, _, salt = found["session_state"].partition(".")
    state = next(value for name, value in browser.cookies.items() if name.endswith("kairos_op_state"))
    text = f"{shop.client_id} https://shop.example {state} {salt}"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    frame = browser.get("/session/check")
    assert frame.header("X-Frame-Options") is None
    assert "frame-ancestors *" in (frame.header("Content-Security-Policy") or "")
    tokens = shop.redeem(found["code"]).json()
    browser.get(f"/logout?{encoded({'id_token_hint': tokens['id_token']})}")
    assert not any(name.endswith("kairos_op_state") for name in browser.cookies)


@clause("OIDC Core 5.3.2")
def test_userinfo_as_a_signed_jwt(world, shop, ada, browser):
    answer = shop.userinfo(shop.tokens(browser)["access_token"])
    assert answer.header("Content-Type") == "application/jwt"
    from joserfc import jwt
    from joserfc.jwk import KeySet

    claims = jwt.decode(answer.text, KeySet.import_key_set(browser.get("/jwks").json()), algorithms=["RS256"]).claims
    assert (claims["sub"], claims["iss"], claims["aud"]) == (str(ada.pk), shop.issuer, shop.client_id)
    assert "nonce" not in claims
