"""Guessing passwords: hostile cases PW-09 to PW-13."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from idp.accounts import authentication
from idp.accounts.models import User
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD, make_person

WRONG = "certainly not the password"


@pytest.fixture(autouse=True)
def no_work_before_a_guess(monkeypatch):
    """That is tests/security/test_challenge.py."""
    monkeypatch.setattr("idp.accounts.challenge.PER_NETWORK", 10_000)


def guess(browser, password=WRONG, login="ada@example.org", **more):
    return browser.post("/login", {"login": login, "password": password}, **more)


@pytest.mark.django_db
def test_five_then_locked_for_fifteen_minutes(person):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        assert [guess(Client()).status_code for _ in range(7)] == [400] * 5 + [429] * 2
        locked = guess(Client(), PASSWORD)
        assert locked.status_code == 429
        assert 890 <= int(locked["Retry-After"]) <= 901
        assert "15 minutes" in locked.content.decode()
    with time_machine.travel(now + timedelta(minutes=15, seconds=2), tick=False):
        assert guess(Client(), PASSWORD).status_code == 302
    names = list(EventRecord.objects.order_by("id").values_list("name", flat=True))
    assert names.count("account.locked") == 1
    assert names.count("sign_in.failed") == 8


@pytest.mark.django_db
def test_spellings_share_one_count(person):
    for spelling in ("ada@example.org", "ADA@example.org", "Ada@EXAMPLE.org", " ada@example.org", "\uff41da@example.org"):
        assert guess(Client(), login=spelling).status_code == 400
    assert guess(Client(), PASSWORD).status_code == 429


@pytest.mark.django_db
def test_an_unknown_identifier_locks_alike(db):
    assert [guess(Client(), login="nobody").status_code for _ in range(6)] == [400] * 5 + [429]


@pytest.mark.django_db
def test_success_starts_the_count_again_but_not_that_of_the_address(person):
    """PW-11: an attacker's own sign-ins between the guesses buy nothing."""
    make_person(email="mallory@example.org")
    browser = Client()
    for round_ in range(authentication.GUESSES // 3):
        for _ in range(3):
            assert guess(Client(), login=f"victim{round_}@example.org").status_code == 400
        guess(browser, PASSWORD, login="mallory@example.org")
    assert guess(Client(), login="one-more@example.org").status_code == 429
    # The limit of the address does not tell whether a password is right, either.
    assert guess(Client(), PASSWORD).status_code == 429


@pytest.mark.django_db
def test_who_guesses_elsewhere_cannot_lock_the_owner_out(person):
    home = Client()
    assert guess(home, PASSWORD).status_code == 302
    home.post("/logout")
    home.cookies.pop("kairos_session", None)
    for _ in range(6):
        guess(Client())
    assert guess(Client(), PASSWORD).status_code == 429
    assert guess(home, PASSWORD).status_code == 302


@pytest.mark.django_db
def test_a_known_browser_has_a_count_of_its_own_and_loses_it_with_the_password(person):
    from idp.accounts import people

    home = Client()
    guess(home, PASSWORD)
    home.cookies.pop("kairos_session", None)
    assert [guess(home).status_code for _ in range(6)] == [400] * 5 + [429]
    assert guess(Client(), PASSWORD).status_code == 302  # elsewhere nobody guessed
    person.refresh_from_db()
    people.set_password(person, "an entirely new pass phrase")
    for _ in range(6):
        guess(Client())
    assert guess(home, "an entirely new pass phrase").status_code == 429  # the browser is known no more


@pytest.mark.django_db
def test_the_browser_in_which_the_password_was_changed_stays_known(person):
    home, new = Client(), "an entirely new pass phrase"
    guess(home, PASSWORD)
    assert home.post("/account/password", {"current": PASSWORD, "password": new}).status_code == 302
    home.cookies.pop("kairos_session")
    for _ in range(6):
        guess(Client())
    assert guess(home, new).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["", "x", "a" * 5000, "W10:1abc:xyz", "é"])
def test_a_forged_cookie_makes_no_browser_known(person, value):
    browser = Client()
    browser.cookies["kairos_known"] = value
    assert [guess(browser).status_code for _ in range(6)] == [400] * 5 + [429]


@pytest.mark.django_db
def test_the_password_change_and_djangos_own_door_share_the_count(person, rf):
    """PW-12."""
    from django.contrib.auth import authenticate

    browser = Client()
    guess(browser, PASSWORD)
    browser.cookies.pop("kairos_known", None)
    for _ in range(2):
        assert guess(Client()).status_code == 400
    for _ in range(2):
        assert browser.post("/account/password", {"current": WRONG, "password": "an entirely new pass phrase"}).status_code == 400
    assert authenticate(rf.get("/"), email="ada@example.org", password=WRONG) is None
    assert authenticate(rf.get("/"), email="ada@example.org", password=PASSWORD) is None
    assert (
        "Too many wrong passwords"
        in browser.post("/account/password", {"current": PASSWORD, "password": "an entirely new pass phrase"}).content.decode()
    )
    assert guess(Client(), PASSWORD).status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["x" * 1_000_000, "x" * 129, "with a \x00 in it, long enough"])
def test_what_is_never_hashed_is_refused_before_hashing(person, password, monkeypatch):
    """PW-14."""
    monkeypatch.setattr("idp.accounts.passwords.BoundedArgon2Hasher.encode", lambda *_: pytest.fail("hashed"))
    monkeypatch.setattr("idp.accounts.passwords.BoundedArgon2Hasher.verify", lambda *_: pytest.fail("hashed"))
    for path, values in (("/login", {"login": "ada@example.org"}), ("/signup", {"email": "x@example.org"})):
        assert Client().post(path, {**values, "password": password}).status_code == 400


@pytest.mark.django_db
def test_a_machine_that_is_busy_says_so_and_counts_nothing(person, monkeypatch):
    from idp.accounts import passwords

    def busy(*_):
        raise passwords.HashingBusy

    with monkeypatch.context() as patch:
        patch.setattr("idp.accounts.passwords.BoundedArgon2Hasher.verify", busy)
        answers = [guess(Client()) for _ in range(7)]
    assert {response.status_code for response in answers} == {503}
    assert answers[0]["Retry-After"]
    assert guess(Client(), PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_many_parallel_guesses_only_the_limit_is_looked_at(monkeypatch):
    """PW-10, on every database."""
    make_person()
    looked_at = []
    original = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: looked_at.append(raw) or original(self, raw))
    statuses, start = [], threading.Barrier(12)

    def run():
        try:
            start.wait()
            statuses.extend([guess(Client()).status_code, guess(Client()).status_code])
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked_at) == 5
    assert sorted(statuses) == [400] * 5 + [429] * 19


@pytest.mark.django_db
def test_somebodys_lock_does_not_use_up_the_guesses_of_the_neighbours(person):
    for _ in range(authentication.GUESSES + 10):
        guess(Client(), login="victim@example.org")
    assert guess(Client(), "another wrong password").status_code == 400
    assert guess(Client(), PASSWORD).status_code == 302


@pytest.mark.django_db
def test_refusals_have_an_end_in_the_log(person, monkeypatch):
    monkeypatch.setattr(authentication, "REFUSALS", 10)
    answers = [guess(Client()).status_code for _ in range(30)]
    assert answers == [400] * 5 + [429] * 25
    assert EventRecord.objects.filter(name="sign_in.failed").count() == 15


@pytest.mark.django_db
def test_limits_of_the_network_answer_alike_for_recovery(person):
    answers = {Client().post("/password/forgot", {"email": f"x{number % 70}@example.org"})["Location"] for number in range(70)}
    assert answers == {"/password/forgot/sent"}


@pytest.mark.django_db
def test_too_many_sign_ups_from_one_network_are_told_to_wait(person, monkeypatch):
    monkeypatch.setattr("idp.signin.codes.IP_LIMIT", 2)
    form = {"email": "a@example.org", "password": "a long enough pass phrase"}
    assert [Client().post("/signup", form).status_code for _ in range(3)] == [302, 302, 429]
    page = Client().post("/signup", form)
    assert 1 <= int(page["Retry-After"]) <= 300
    assert "Too many attempts" in page.content.decode()
