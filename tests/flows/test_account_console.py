"""The account console, over HTTP: a person's own profile, sessions, apps and activity."""

# ruff: noqa: F811  (the names of fixtures)

from __future__ import annotations

import json

import pytest
from django.conf import settings

from idp import sessions
from idp.accounts import claims
from idp.accounts.models import User
from idp.console import activity
from idp.events.models import Delivery
from idp.kernel import generations
from tests.support.clauses import clause
from tests.support.mailbox import mails
from tests.support.world import World, ada, shop, signing_keys  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(signing_keys):
    yield World("views", settings.IDP.issuer)
    generations.forget()


@pytest.fixture
def here(world, ada, shop):
    """A browser in which Ada is signed in; the shop has her consent."""
    browser = world.browser()
    shop.tokens(browser, scope="openid profile email offline_access")
    return browser


def fill(browser, page, **values):
    """Send the page's form with these values."""
    return browser.follow(browser.submit(page, button="profile-submit", **values))


def test_the_profile_is_saved_and_shown(here, ada):
    page = here.get("/account/profile")
    assert page.status == 200
    saved = fill(
        here, page, **{"name": "Ada Lovelace", "allergies": "nuts\r\nmilk", "address.locality": "London", "preferences.cuisines": "thai"}
    )
    assert saved.status == 200
    assert "Your profile is saved." in saved.text
    assert claims.stored(User.objects.get(pk=ada.pk)) == {
        "name": "Ada Lovelace",
        "address": {"locality": "London"},
        "allergies": ["nuts", "milk"],
        "preferences": {"cuisines": ["thai"]},
    }
    overview = here.get("/account").text
    assert "nuts, milk" in overview
    assert "Ada Lovelace" in overview


def test_a_wrong_value_is_refused_beside_its_field_and_nothing_is_stored(here, ada):
    page = here.get("/account/profile")
    answer = fill(here, page, name="Ada", birthdate="yesterday", website="javascript:alert(1)")
    assert answer.status == 422
    assert "Write it like this: 1990-12-31." in answer.text
    assert 'id="id_website-error"' in answer.text
    assert "<title>Error:" in answer.text
    assert User.objects.get(pk=ada.pk).claims == {}


def test_a_stale_page_does_not_undo_what_another_window_saved(here, ada):
    old = here.get("/account/profile")
    fill(here, here.get("/account/profile"), nickname="Countess")
    answer = fill(here, old, name="Ada")
    assert answer.status == 409
    assert claims.stored(User.objects.get(pk=ada.pk)) == {"nickname": "Countess"}


def test_attributes_that_must_be_proved_are_not_in_the_form(here, ada):
    page = here.get("/account/profile")
    assert "phone_number" not in page.form(having="profile-submit").fields
    fill(here, page, phone_number="+351 21 000 0000")
    assert "phone_number" not in User.objects.get(pk=ada.pk).claims


def patch(browser, document, **headers):
    token = browser.get("/account/profile").form(having="profile-submit").fields["csrfmiddlewaretoken"]
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return browser.request(
        "PATCH", "/account/profile", body=body, headers={"Content-Type": "application/json", "X-CSRFToken": token, **headers}
    )


def test_the_profile_as_json(here, ada):
    answer = patch(here, {"allergies": ["nuts"], "bio": "Hello"})
    assert (answer.status, answer.json()) == (200, {"bio": "Hello", "allergies": ["nuts"]})
    refused = patch(here, {"bio": "x" * 501, "allergies": ["milk", 3]})
    assert refused.status == 422
    assert {problem["path"] for problem in refused.json()["problems"]} == {"/bio", "/allergies/1"}
    assert claims.stored(User.objects.get(pk=ada.pk)) == {"bio": "Hello", "allergies": ["nuts"]}
    assert patch(here, {"bio": None}).json() == {"allergies": ["nuts"]}
    assert here.get("/account/profile", Accept="application/json").json() == {"allergies": ["nuts"]}
    assert patch(here, b"{").status == 400
    assert patch(here, [1]).status == 422
    assert patch(here, {"bio": "x"}, **{"X-CSRFToken": "forged"}).status == 403


@clause("BR-16")
def test_ending_a_session_is_felt_at_once_and_the_apps_are_told(world, here, ada, shop):
    told = world.app("Told", backchannel_logout_uri="https://told.example/logout", first_party=True)
    elsewhere = world.browser()
    tokens = told.tokens(elsewhere)
    page = here.get("/account/sessions")
    assert "Told" in page.text
    other = next(row.sid for row in sessions.of_person(ada.pk) if f'value="{row.sid}"' in page.text)
    here.post("/account/sessions", {**page.form(having="end-all").fields, "sid": other, "decision": "end"})
    assert "/login" in elsewhere.get("/account").location
    assert told.userinfo(tokens["access_token"]).status == 401
    assert Delivery.objects.filter(receiver="backchannel_logout").count() == 1
    assert here.get("/account").status == 200


@clause("TK-19")
def test_somebody_elses_session_cannot_be_ended_nor_their_receipt_read(world, here, shop):
    world.person("eve@example.org")
    eve = world.browser()
    other = world.app("Secret diary")
    other.tokens(eve, email="eve@example.org")
    page = here.get("/account/sessions")
    token = page.form(having="end-all").fields["csrfmiddlewaretoken"]
    theirs = sessions.of_person(User.objects.get(email="eve@example.org").pk)[0].sid
    here.post("/account/sessions", {"csrfmiddlewaretoken": token, "sid": theirs, "decision": "end"})
    assert eve.get("/account").status == 200
    foreign = here.get(f"/account/apps/receipt?client_id={other.client_id}")
    assert foreign.status == here.get("/account/apps/receipt?client_id=nobody").status == 404


def test_sign_out_everywhere_includes_this_browser(world, here, ada, shop):
    elsewhere = world.browser()
    shop.tokens(elsewhere)
    page = here.get("/account/sessions")
    here.submit(page, button="end-all")
    for browser in (here, elsewhere):
        assert "/login" in browser.get("/account").location


def test_an_app_of_the_operator_is_listed_without_a_receipt_and_can_be_removed(world, here, ada):
    own = world.app("House app", first_party=True)
    tokens = own.tokens(here, scope="openid offline_access")
    page = here.get("/account/apps")
    assert "House app" in page.text
    shown = here.get(f"/account/apps/receipt?client_id={own.client_id}")
    assert "you were not asked" in shown.text
    here.post("/account/apps", {**shown.form(having="app-remove").fields, "decision": "revoke"})
    assert own.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    here.get("/account/apps")  # says once that it is done
    assert "House app" not in here.get("/account/apps").text


def test_the_receipt_says_what_was_agreed(here, ada, shop):
    page = here.get(f"/account/apps/receipt?client_id={shop.client_id}")
    assert "Your email address" in page.text
    kept = here.get(f"/account/apps/receipt?client_id={shop.client_id}&as=json")
    document = kept.json()
    assert document["sub"] == str(ada.pk)
    assert set(document["scopes"]) == {"openid", "profile", "email", "offline_access"}
    assert document["given_at"]
    assert "attachment" in kept.header("Content-Disposition")


def test_activity_is_told_in_words_and_paged(world, here, ada, shop, monkeypatch):
    page = here.get("/account/activity")
    assert "Sign-in" in page.text
    assert "You gave an app access" in page.text
    assert "Shop" in page.text
    assert "sign_in.succeeded" not in page.text
    monkeypatch.setattr(activity, "PAGE", 3)
    shop.tokens(world.browser())
    newest = here.get("/account/activity")
    assert 'id="activity-more"' in newest.text
    href = newest.text.split('id="activity-more" href="')[1].split('"')[0]
    older = here.get(href)
    assert set(older.text.split('<ul class="rows">')[1].split("<b>")[1:]).isdisjoint(newest.text.split("<b>"))
    for wrong in ("x", "", "0" * 32, "'" * 40):
        assert here.get(f"/account/activity?before={wrong}").status == 200


def test_this_was_not_me_ends_everything_and_begins_the_recovery(world, here, ada, shop):
    elsewhere = world.browser()
    tokens = shop.tokens(elsewhere)
    page = here.get("/account/activity/not-me")
    answer = here.submit(page, button="not-me-submit")
    assert 'id="secured"' in answer.text
    for browser in (here, elsewhere):
        assert "/login" in browser.get("/account").location
    assert shop.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert any("password/reset" in link for mail in mails("ada@example.org") for link in mail.links)
