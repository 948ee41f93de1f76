"""Work before a guess (PW-08): asked for after many failures, done once, waited for where no script runs; the same for everybody."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from idp.accounts import challenge
from idp.events.models import EventRecord
from idp.kernel import limits
from tests.support.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db
WRONG = "certainly not the password"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.99"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(challenge, "BITS", 6)


def guess(login="ada@example.org", password=WRONG, client=None, headers=None, **more):
    return (client or Client()).post("/login", {"login": login, "password": password, **more}, **(headers or {}))


def many_failures(count=challenge.PER_NETWORK):
    for number in range(count):
        guess(f"somebody{number}@example.org")


def solve(token):
    return next(str(n) for n in range(100_000) if int.from_bytes(hashlib.sha256(f"{token}:{n}".encode()).digest(), "big") >> 250 == 0)


def token_of(response):
    return response.content.decode().split('data-challenge="')[1].split('"')[0]


def test_after_ten_failures_the_network_works_first(person):
    assert "data-challenge" not in Client().get("/login").content.decode()
    many_failures()
    page = Client().get("/login")
    token = token_of(page)
    assert "<noscript>" in page.content.decode()
    refused = guess(password=PASSWORD)
    assert refused.status_code == 429
    assert "once more" in refused.content.decode()
    assert guess(password=PASSWORD, challenge=token, solution=solve(token))["Location"] == "/account"


def test_a_token_works_once(person):
    many_failures()
    token = token_of(Client().get("/login"))
    solution = solve(token)
    assert guess(challenge=token, solution=solution).status_code == 400
    assert guess(password=PASSWORD, challenge=token, solution=solution).status_code == 429


@pytest.mark.parametrize("change", ["token", "solution", "both", "empty", "long", "foreign"])
def test_what_is_made_up_is_no_work(person, change):
    many_failures()
    token = token_of(Client().get("/login"))
    made_up = {
        "token": {"challenge": "x" + token, "solution": "1"}, "solution": {"challenge": token, "solution": "not it"}, "both": {"challenge": "a:b:c", "solution": "1"},
        "empty": {"challenge": "", "solution": ""}, "long": {"challenge": "x" * 5000, "solution": "1" * 5000}, "foreign": {"challenge": "\\x00\\ud800", "solution": "é"},
    }  # fmt: skip
    assert guess(password=PASSWORD, **made_up[change]).status_code == 429


def test_without_script_one_waits_and_only_one_at_a_time(person):
    many_failures()
    first, second = (token_of(Client().get("/login")) for _ in range(2))
    assert guess(password=PASSWORD, challenge=first, solution="").status_code == 429  # at once
    with time_machine.travel(timezone.now() + timedelta(seconds=challenge.WAIT + 1)):
        assert guess(password=PASSWORD, challenge=first, solution="").status_code == 302
        assert guess(password=PASSWORD, challenge=second, solution="").status_code == 429
    with time_machine.travel(timezone.now() + timedelta(seconds=challenge.LIFE + 1)):
        many_failures()
        assert guess(password=PASSWORD, challenge=second, solution="").status_code == 429


def test_other_networks_are_not_bothered(person):
    many_failures()
    assert guess(password=PASSWORD, headers=ELSEWHERE).status_code == 302


def test_many_failures_everywhere_raise_the_alarm_once_and_everybody_works(person, monkeypatch):
    """PW-08: stuffing over many networks."""
    monkeypatch.setattr(challenge, "PER_MINUTE", 5)
    for number in range(8):
        guess(f"somebody{number}@example.org", headers={"REMOTE_ADDR": f"198.51.100.{number}"})
    assert EventRecord.objects.filter(name="sign_in.alarm").count() == 1
    assert guess(password=PASSWORD, headers=ELSEWHERE).status_code == 429
    with time_machine.travel(timezone.now() + timedelta(seconds=challenge.ALARM_SECONDS + 61)):
        assert guess(password=PASSWORD, headers=ELSEWHERE).status_code == 302


def test_known_and_unknown_people_are_asked_alike():
    """PW-01."""
    make_person()
    many_failures()
    assert guess("ada@example.org").status_code == guess("nobody@example.org").status_code == 429


def test_who_is_signed_in_and_proves_it_again_is_not_asked(person, client):
    guess(password=PASSWORD, client=client)
    many_failures()
    form = {"current": PASSWORD, "password": "an entirely new pass phrase"}
    assert client.post("/account/password", form)["Location"] == "/account/password?done=1"


def test_several_limits_in_one_look(django_assert_num_queries):
    limits.hit("a", "x", limit=1, seconds=60)
    with django_assert_num_queries(1):
        first, second = limits.peek_all([("a", "x", 1), ("b", "y", 1)])
    assert (first.allowed, second.allowed, first.retry_after > 0, second.retry_after) == (False, True, True, 0)
