"""Nobody steps over the second factor, wears out somebody else's, or changes their own with half a proof (rows MF, BR of the hostile cases)."""

from __future__ import annotations

import time

import pytest
import time_machine
from django.test import Client

from idp.accounts import people
from idp.events.models import EventRecord
from idp.mfa import factors
from idp.mfa.models import TotpDevice
from idp.sessions.models import BrowserSession
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
PAGE = "/login/second-factor"
CHANGES = ("/account/security/authenticator", "/account/security/recovery-codes", "/account/security/authenticator/{}")


@pytest.fixture
def app(person):
    return enrol(person)


def password(client, email="ada@example.org", **more):
    return client.post("/login", {"login": email, "password": PASSWORD, **more})


def is_signed_in(client) -> bool:
    return client.get("/account").status_code == 200


@pytest.mark.clause("MF-05")
@pytest.mark.parametrize(
    "data", [{}, {"code": ""}, {"code": " "}, {"password": PASSWORD}, {"code": "000000", "skip": "1"}, {"recovery": "x"}]
)
def test_an_empty_or_other_answer_is_no_answer(client, person, app, data):
    password(client)
    assert client.post(PAGE, data).status_code == 400
    assert not is_signed_in(client)


@pytest.mark.clause("MF-05")
@pytest.mark.parametrize(
    "address", ["/account", "/account/security", "/account/security/authenticator", "/account/password", "/account/apps"]
)
def test_between_the_steps_nothing_of_the_account_is_open(client, person, app, address):
    password(client)
    assert client.get(address)["Location"].startswith("/login?next=")
    assert client.post(address, {"decision": "remove"}).status_code in (302, 405)
    assert TotpDevice.objects.count() == 1


@pytest.mark.clause("MF-05")
def test_the_page_is_closed_to_whoever_has_not_passed_the_first_step(client, person, app):
    assert client.get(f"{PAGE}?next=/account/apps")["Location"] == "/login?next=%2Faccount%2Fapps"
    assert client.post(PAGE, {"code": app.code()})["Location"] == "/login"
    assert TotpDevice.objects.get().last_step == -1
    assert EventRecord.objects.filter(name="sign_in.failed").count() == 0


@pytest.mark.clause("MF-05")
def test_who_is_signed_in_finds_nothing_to_do_there(client, person, app):
    password(client)
    client.post(PAGE, {"code": app.code()})
    assert client.get(PAGE)["Location"] == "/account"
    assert client.post(PAGE, {"code": app.wrong()})["Location"] == "/account"
    assert TotpDevice.objects.get().throttling_failure_count == 0


@pytest.mark.clause("MF-03")
def test_a_stranger_without_the_password_uses_up_nothing(client, person, app):
    for _ in range(8):
        client.post("/login", {"login": person.email, "password": "wrong"})
        client.post(PAGE, {"code": app.wrong()})
    assert TotpDevice.objects.get().throttling_failure_count == 0


@pytest.mark.clause("MF-02")
def test_a_new_session_does_not_bring_new_guesses(person, app):
    start = time.time()
    with time_machine.travel(start, tick=False) as clock:
        for _ in range(5):
            browser = Client()
            password(browser)
            assert browser.post(PAGE, {"code": app.wrong()}).status_code == 400
            clock.shift(9)
        browser = Client()
        password(browser)
        answer = browser.post(PAGE, {"code": app.code()})
        assert answer.status_code == 429
        assert 880 <= int(answer["Retry-After"]) <= 900
        assert not is_signed_in(browser)


@pytest.mark.clause("BR-09")
def test_an_abandoned_sign_in_leaves_nothing_to_the_next_person(client, person, app):
    eve = make_person(email="eve@example.org")
    password(client)
    assert password(client, eve.email)["Location"] == "/account"
    session = BrowserSession.objects.exclude(sid="").get()
    assert (session.user, session.acr, session.amr) == (eve, "urn:kairos:acr:1fa", ["pwd"])
    assert client.post(PAGE, {"code": app.code()})["Location"] == "/account"
    assert BrowserSession.objects.exclude(sid="").get().user == eve


@pytest.mark.clause("BR-09")
def test_another_persons_code_does_not_finish_it(client, person, app):
    hers = enrol(make_person(email="eve@example.org"))
    password(client)
    assert client.post(PAGE, {"code": hers.code()}).status_code == 400
    assert not is_signed_in(client)


@pytest.mark.clause("MF-06")
def test_looking_elsewhere_ends_what_was_begun(client, person, app):
    password(client)
    client.get("/logout")
    assert client.post(PAGE, {"code": app.code()})["Location"] == "/login"


@pytest.mark.parametrize("change", ["password", "disabled", "late"])
def test_what_was_begun_ends_with_the_account(client, person, app, change):
    with time_machine.travel(time.time(), tick=False) as clock:
        password(client)
        if change == "password":
            people.set_password(person, "entirely different words here")
        elif change == "disabled":
            people.disable(person)
        else:
            clock.shift(901)
        assert client.post(PAGE, {"code": app.code()})["Location"] == "/login"
    assert not is_signed_in(client)


@pytest.mark.clause("BR-06")
@pytest.mark.parametrize("address", CHANGES)
def test_a_session_older_than_five_minutes_proves_itself_again(client, person, app, address):
    address = address.format(TotpDevice.objects.get().pk)
    with time_machine.travel(time.time(), tick=False) as clock:
        password(client)
        client.post(PAGE, {"code": app.code()})
        assert client.get(address).status_code == 200
        clock.shift(301)
        for answer in (client.get(address), client.post(address, {"decision": "remove"})):
            assert answer["Location"].startswith("/login?again=1&next=%2Faccount%2Fsecurity")
        page = client.get(answer["Location"]).content.decode()
        assert "Confirm it’s you" in page
        assert 'value="ada@example.org"' in page
        assert TotpDevice.objects.count() == 1
        # The password alone is not enough to come back (MF-07).
        assert password(client, next=address)["Location"] == PAGE
        assert client.get(address).status_code == 302
        password(client, next=address)
        assert client.post(PAGE, {"code": app.code(), "next": address})["Location"] == address
        assert client.get(address).status_code == 200


@pytest.mark.clause("MF-07")
@pytest.mark.parametrize("address", CHANGES)
def test_a_session_from_before_the_factor_must_prove_it_before_it_touches_it(client, person, address):
    password(client)
    enrol(person)  # meanwhile, in another browser
    address = address.format(TotpDevice.objects.get().pk)
    assert client.post(address, {"decision": "remove"})["Location"].startswith("/login?again=1")
    assert TotpDevice.objects.count() == 1


@pytest.mark.clause("BR-06")
@pytest.mark.parametrize("address", CHANGES)
def test_no_other_site_can_do_it(person, app, address):
    browser = Client(enforce_csrf_checks=True)
    address = address.format(TotpDevice.objects.get().pk)
    assert browser.post(address, {"decision": "remove"}).status_code == 403


def test_the_factor_of_somebody_else_is_not_there(client, person, app):
    enrol(make_person(email="eve@example.org"))
    theirs = TotpDevice.objects.last()
    password(client)
    client.post(PAGE, {"code": app.code()})
    for send in (client.get, client.post):
        assert send(f"/account/security/authenticator/{theirs.pk}", {"decision": "remove"}).status_code == 404
    assert TotpDevice.objects.count() == 2


@pytest.mark.clause("MF-11")
def test_other_sessions_lose_what_a_removed_factor_gave(client, person, app):
    browsers = [client, Client()]
    with time_machine.travel(time.time(), tick=False) as clock:
        for browser in browsers:
            password(browser)
            browser.post(PAGE, {"code": app.code()})
            clock.shift(60)
        assert {row.acr for row in BrowserSession.objects.exclude(sid="")} == {"urn:kairos:acr:mfa"}
        client.post(f"/account/security/authenticator/{TotpDevice.objects.get().pk}", {"decision": "remove"})
        rows = BrowserSession.objects.exclude(sid="")
        assert {(row.acr, *row.amr) for row in rows} == {("urn:kairos:acr:1fa", "pwd")}
        assert all(is_signed_in(browser) for browser in browsers)


@pytest.mark.clause("MF-11")
@pytest.mark.parametrize("how", ["removed", "trust ended"])
def test_a_sign_in_that_waits_stands_on_nothing_that_is_gone(client, person, app, settings, how):
    """Between the second step and the session, where the terms are asked: what was proved with must still be there at the end."""
    from idp.mfa import trust
    from idp.mfa.models import TrustedBrowser

    if how == "trust ended":
        password(client)
        client.post(PAGE, {"code": app.code(), "trust": "1"})
        assert TrustedBrowser.objects.exists()
        BrowserSession.objects.all().delete()
    settings.IDP = settings.IDP.model_copy(update={"terms_version": "2026-11"})
    waiting = password(client)
    if how == "removed":
        waiting = client.post(PAGE, {"code": app.code()})
    assert waiting["Location"] == "/login/terms"
    if how == "removed":
        factors.remove(person, TotpDevice.objects.get(), request=None)  # type: ignore[arg-type]
    else:
        trust.end(person)
    assert client.post("/login/terms", {"accept": "1"})["Location"] == "/login"
    assert client.get("/account").status_code == 302
    assert not BrowserSession.objects.exclude(sid="").exists()


@pytest.mark.clause("MF-13")
@pytest.mark.parametrize("code", ["\u0661\u0662\u0663\u0664\u0665\u0666", "\U0001f600", "\x00", "a" * 41, "1e5", "-1", "0x12", "12.345"])
def test_odd_codes_are_a_400(client, person, app, code):
    password(client)
    answer = client.post(PAGE, {"code": code})
    assert answer.status_code == 400
    assert "Error:" in answer.content.decode()


@pytest.mark.clause("MF-13")
def test_a_megabyte_of_code_is_refused_unread(client, person, app):
    password(client)
    assert client.post(PAGE, {"code": "1" * 1_000_000}).status_code == 400


@pytest.mark.clause("MF-15")
def test_the_confirmation_of_a_new_app_cannot_be_guessed(client, person):
    password(client)
    client.get("/account/security/authenticator")
    answers = [client.post("/account/security/authenticator", {"code": f"{n:06d}", "name": "x"}).status_code for n in range(12)]
    assert answers[9:] == [400, 429, 429]


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_else(client, person, app, elsewhere):
    password(client)
    assert client.post(PAGE, {"code": app.code(), "next": elsewhere})["Location"] == "/account"


@pytest.mark.clause("EM-10")
@pytest.mark.parametrize("way", ["link", "code"])
def test_a_reset_of_the_password_does_not_step_over_it(client, person, app, way):
    from tests.support.mailbox import mails

    new = "entirely different words here"
    codes = factors.make_codes(person, request=type("Request", (), {"session": None})())
    client.post("/password/forgot", {"email": person.email})
    mail = next(mail for mail in mails(person.email) if "token=" in mail.text)
    if way == "link":
        client.get(next(link for link in mail.links if "token=" in link).removeprefix("http://localhost:8000"))
    else:
        client.post("/password/forgot/sent", {"code": mail.code})
    assert client.post("/password/reset", {"password": new})["Location"].startswith("/login")
    assert client.get("/account").status_code == 302, "a reset signs nobody in"
    assert (TotpDevice.objects.count(), factors.codes_left(person)) == (1, len(codes))
    answer = client.post("/login", {"login": person.email, "password": new})
    assert answer["Location"] == PAGE
    assert client.get("/account").status_code == 302
    assert client.post(PAGE, {"code": app.code()})["Location"] == "/account"


def test_no_log_line_holds_the_code(client, person, app, caplog):
    caplog.set_level("DEBUG")
    password(client)
    code = app.code()
    client.post(PAGE, {"code": app.wrong()})
    client.post(PAGE, {"code": code})
    assert code not in caplog.text
