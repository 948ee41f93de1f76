"""Fifty at once: a code, a refresh token, a consent, a secret. On SQLite (a file, as served) and on PostgreSQL, through the thin door."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection

from idp.events.models import EventRecord
from idp.oidc.keys import rotation
from idp.oidc.models import AuthorizationCode, TokenFamily
from tests.support.browser import Browser
from tests.support.clauses import clause
from tests.support.racing import at_once
from tests.support.rp import basic

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("world", ["thin"], indirect=True),
]
MANY = 50


@clause("RFC 6749 4.1.2", "hostile case CO-01", "hostile case CO-02")
def test_fifty_redemptions_of_one_code(shop, ada, browser):
    code = shop.code(browser)
    answers = at_once(MANY, lambda _: shop.redeem(code))
    assert Counter(answer.status for answer in answers) == {200: 1, 400: MANY - 1}
    assert {answer.json()["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
    [tokens] = [answer.json() for answer in answers if answer.status == 200]
    # The others were replays: what the one got is revoked again (RFC 6749 4.1.2).
    assert shop.userinfo(tokens["access_token"]).status == 401
    assert shop.refresh(tokens["refresh_token"]).status == 400
    family = TokenFamily.objects.get()
    assert family.revoked_at is not None
    assert AuthorizationCode.objects.get().family_id == family.pk
    assert EventRecord.objects.filter(name="tokens.issued").count() == 1
    assert EventRecord.objects.filter(name="code.replayed").count() == 1


@clause("RFC 9700 4.14.2", "hostile case RF-02")
def test_fifty_refreshes_with_one_token(shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    answers = at_once(MANY, lambda _: shop.refresh(token))
    assert {answer.status for answer in answers} <= {200, 400}
    successors = {answer.json()["refresh_token"] for answer in answers if answer.status == 200}
    assert len(successors) == 1
    assert TokenFamily.objects.get().generation == 1
    assert EventRecord.objects.filter(name="tokens.refreshed").count() == 1
    assert shop.refresh(successors.pop()).status == 200


@clause("RFC 9700 4.14.2")
def test_refreshing_while_it_is_revoked(shop, ada, browser):
    tokens = shop.tokens(browser)

    def one(number):
        return shop.call("/revoke", {"token": tokens["refresh_token"]}) if number == 0 else shop.refresh(tokens["refresh_token"])

    answers = at_once(12, one)
    assert {answer.status for answer in answers} <= {200, 400}
    for answer in answers[1:]:
        if answer.status == 200:  # whoever was faster holds nothing that works
            assert shop.refresh(answer.json()["refresh_token"]).status == 400
            assert shop.userinfo(answer.json()["access_token"]).status == 401


@clause("OIDC Core 3.1.2.4", "hostile case BR-02")
def test_consent_given_twice_at_once(shop, ada, browser):
    from tests.support.factories import PASSWORD

    page = browser.follow(
        browser.submit(browser.follow(shop.ask(browser)), button="login-submit", login="ada@example.org", password=PASSWORD)
    )
    tabs = [copy_of(browser) for _ in range(8)]
    answers = at_once(len(tabs), lambda number: tabs[number].follow(tabs[number].submit(page, button="consent-allow")))
    codes = [shop.arrive(answer)["code"] for answer in answers]
    assert len(set(codes)) == len(codes)  # each tab was answered, by a request of its own
    assert ada.consents.count() == 1


@clause("RFC 6749 4.1.2")
def test_one_interaction_is_answered_once(shop, ada, browser):
    """The others start the same request again: never two codes of one interaction, never a dead end."""
    shop.code(browser)
    from idp.interactions.models import InteractionRow
    from tests.support.factories import PASSWORD

    page = browser.follow(shop.ask(browser, prompt="login"))
    answer = browser.submit(page, button="login-submit", login="ada@example.org", password=PASSWORD)
    tabs = [copy_of(browser) for _ in range(8)]
    answers = at_once(len(tabs), lambda number: tabs[number].get(answer.location))
    to_app = [one for one in answers if one.location.startswith(shop.redirect_uri)]
    assert len(to_app) == 1
    assert {one.location.partition("?")[0] for one in answers if one not in to_app} == {"/authorize"}
    assert InteractionRow.objects.filter(done_at=None).count() == 0


@clause("OIDC Core 10.1.1", "hostile case KT-01")
def test_keys_rotate_under_load(world):
    service = world.app("Robot", type="service")
    stop = threading.Event()

    def work(number):
        if number == 0:
            try:
                for immediately in (False, True, False):
                    rotation.rotate("ES256", immediately=immediately)
                return []
            finally:
                stop.set()
        got = []
        while not (stop.is_set() and len(got) > 20):
            got.append(service.call("/token", {"grant_type": "client_credentials"}))
        return got

    answers = [answer for some in at_once(5, work) for answer in some]
    assert {answer.status for answer in answers} == {200}
    for token in {answer.json()["access_token"] for answer in answers[:: max(1, len(answers) // 40)]}:
        service.verified(token, typ="at+jwt")  # former keys are still published


@clause("RFC 6749 10.10", "hostile case CA-21")
def test_two_hundred_guesses_of_a_secret(world):
    service = world.app("Robot", type="service")
    send = world.browser(ip="203.0.113.9").send
    thief = Browser(send, origin=world.issuer)

    def guess(number):
        header = basic(service.client_id, f"guess-{number}")
        return thief.request("POST", "/token", form={"grant_type": "client_credentials"}, headers={"Authorization": header})

    answers = [answer for _ in range(4) for answer in at_once(MANY, guess)]
    assert Counter(answer.status for answer in answers) == {401: 30, 429: 170}
    assert service.call("/token", {"grant_type": "client_credentials"}).status == 200


@clause("hostile case CO-07")
def test_redeeming_while_the_person_takes_consent_back(shop, ada, browser):
    from idp.oidc.revocation.consent import take_back

    codes = [(shop.code(browser), shop.last) for _ in range(6)]

    def one(number):
        if number == len(codes):
            take_back(user=ada, client_id=shop.client_id)
            return None
        return shop.redeem(*codes[number])

    answers = at_once(len(codes) + 1, one)[:-1]
    assert {answer.status for answer in answers} <= {200, 400}
    assert TokenFamily.objects.filter(revoked_at=None).count() == 0
    assert AuthorizationCode.objects.filter(used_at=None).count() == 0


def copy_of(browser):
    tab = Browser(browser.send, origin=browser.origin)
    tab.cookies = dict(browser.cookies)
    return tab


@pytest.fixture(autouse=True)
def _leave_no_connection(db):
    yield
    connection.close()
