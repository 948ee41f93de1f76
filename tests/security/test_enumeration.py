"""Nobody learns who has an account here: not by text, code, headers or number of statements (PW-01 to PW-03). Time: see the opt-in test."""

from __future__ import annotations

import os
import re
import statistics
import time
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idp.accounts import people
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.messages import messages

pytestmark = pytest.mark.django_db
WRONG = "certainly not the password"


def answer(response):
    """What a stranger sees, without what is random in every answer."""
    body = re.sub(r'(name="csrfmiddlewaretoken" value|nonce)="[^"]+"', "", response.content.decode())
    body = re.sub(r"[\w.+]+@example\.org", "ADDRESS", body)
    headers = {name: value for name, value in response.headers.items() if name not in ("X-Request-ID", "Set-Cookie", "Content-Length")}
    headers = {name: re.sub(r"nonce-[\w/+=]+", "", value) for name, value in headers.items()}
    return response.status_code, body, headers, sorted(response.cookies)


def kind(sql, *, words):
    """What a statement does. On PostgreSQL the event of a known person takes its number in the same statement."""
    return " ".join((sql if not sql.startswith("WITH head AS") else "INSERT INTO events_eventrecord").split()[:words])


@pytest.fixture
def people_of_all_kinds(db, monkeypatch):
    monkeypatch.setattr("idp.accounts.challenge.PER_NETWORK", 10_000)  # work before a guess is another test
    people.disable(make_person(email="disabled@example.org"))
    make_person(email="unverified@example.org", verified=False)
    people.create(email="passwordless@example.org", method="staff", verified=True)
    make_person(email="known@example.org")
    return ["known@example.org", "unknown@example.org", "disabled@example.org", "unverified@example.org", "passwordless@example.org"]


def test_a_wrong_password_answers_alike_for_everybody_until_and_after_the_lock(people_of_all_kinds):
    for attempt in range(6):
        with time_machine.travel(datetime.now(UTC), tick=False):
            answers = {email: answer(Client().post("/login", {"login": email, "password": WRONG})) for email in people_of_all_kinds}
        assert len({str(found) for found in answers.values()}) == 1, f"attempt {attempt}"
    assert "Too many wrong passwords" in answers["unknown@example.org"][1]


def test_a_wrong_password_costs_the_same_statements(people_of_all_kinds):
    Client().post("/login", {"login": "first@example.org", "password": WRONG})  # what a process reads once
    seen = set()
    for email in people_of_all_kinds:
        with CaptureQueriesContext(connection) as queries:
            Client().post("/login", {"login": email, "password": WRONG})
        seen.add(tuple(kind(query["sql"], words=1) for query in queries if "kernel_generation" not in query["sql"]))
    assert len(seen) == 1


def test_the_right_password_while_locked_is_not_confirmed(person):
    for _ in range(5):
        Client().post("/login", {"login": "ada@example.org", "password": WRONG})
    with time_machine.travel(datetime.now(UTC), tick=False):
        wrong = answer(Client().post("/login", {"login": "ada@example.org", "password": WRONG}))
        right = answer(Client().post("/login", {"login": "ada@example.org", "password": PASSWORD}))
    assert wrong == right


def test_sign_up_answers_alike_and_the_owner_is_told(people_of_all_kinds):
    answers = set()
    for email in ("known@example.org", "fresh@example.org", "disabled@example.org"):
        browser = Client()
        first = answer(browser.post("/signup", {"email": email, "password": "a long enough pass phrase"}))
        page = answer(browser.get("/signup/verify"))
        tried = [
            answer(browser.post("/signup/verify", {"code": "00000x"})),
            *[answer(browser.post("/signup/verify", {"code": "123456"})) for _ in range(4)],
        ]
        again = answer(browser.post("/signup/verify/resend"))
        answers.add(str((first, page, tried, again)))
    assert len(answers) == 1
    assert "already have an account" in mails("known@example.org")[0].subject
    assert "already have an account" not in mails("fresh@example.org")[0].subject


def test_asking_for_a_new_password_answers_alike(people_of_all_kinds):
    answers = {
        str((answer(client.post("/password/forgot", {"email": email})), answer(client.get("/password/forgot/sent"))))
        for email in people_of_all_kinds
        for client in [Client()]
    }
    assert len(answers) == 1
    assert [len(mails(email)) for email in people_of_all_kinds] == [1] * 5
    assert "token=" not in mails("unknown@example.org")[0].text


def test_a_code_to_sign_in_answers_alike_until_and_after_the_lock(people_of_all_kinds):
    """PW-01 and PW-10, for codes: asking, guessing, being told to wait and asking again."""
    answers = set()
    with time_machine.travel(datetime.now(UTC), tick=False):
        for email in people_of_all_kinds:
            browser = Client()
            seen = [answer(browser.post("/login", {"login": email, "way": "code"})), answer(browser.get("/login/code"))]
            seen += [answer(browser.post("/login/code", {"code": "000000"})) for _ in range(4)]
            seen += [answer(browser.post("/login/code/resend"))]
            browser.post("/login", {"login": email, "way": "code"})
            seen += [answer(browser.post("/login/code", {"code": "000000"})) for _ in range(3)]
            answers.add(str(seen))
    assert len(answers) == 1
    assert "Too many wrong codes" in next(iter(answers))
    assert [len(mails(email)) for email in people_of_all_kinds] == [2] * 5


def test_a_code_to_sign_in_costs_the_same_statements(people_of_all_kinds):
    seen = set()
    for email in ("known@example.org", "unknown@example.org", "disabled@example.org"):
        browser = Client()
        with CaptureQueriesContext(connection) as queries:
            browser.post("/login", {"login": email, "way": "code"})
            browser.post("/login/code", {"code": "000000"})
        seen.add(
            tuple(
                re.sub(r"\"s\d+_x\d+\"", "", kind(query["sql"], words=3))
                for query in queries
                if "DELETE FROM kernel_limit" not in query["sql"] and "kernel_generation" not in query["sql"]
            )
        )
    assert len(seen) == 1


@pytest.mark.parametrize("path", ["/login", "/password/forgot"])
def test_a_number_answers_alike_whether_somebody_has_it(settings, path):
    """PW-01 and PW-03, for phones: by text and by statements; a stranger's number gets no message."""
    settings.IDP = settings.IDP.model_copy(update={"sign_in_methods": ("password", "sms_code")})
    people.create(phone="+4915123456789", password=PASSWORD, method="command", verified=True)
    answers, statements = set(), set()
    for number in ("+4915123456789", "+4915123456780"):
        browser = Client()
        with CaptureQueriesContext(connection) as queries:
            first = answer(browser.post(path, {"login": number, "email": number, "way": "code"}))
        page = answer(browser.get(first[2]["Location"]))
        answers.add(re.sub(r"\+[\d ]+", "NUMBER", str((first, page))))
        statements.add(sum(query["sql"].startswith(("INSERT INTO kernel_limit", 'INSERT INTO "events_delivery')) for query in queries))
    assert len(answers) == 1
    assert len(statements) == 1
    assert [message.to for message in messages()] == ["+4915123456789"]


if os.environ.get("KAIROS_TEST_TIMING"):  # wall-clock time means something on a quiet machine only

    @pytest.mark.parametrize("path", ["/login", "/login?code", "/signup", "/password/forgot"])
    def test_time_tells_nothing(people_of_all_kinds, path):
        """Medians of interleaved requests, with limits out of the way, may differ by a tenth at most."""
        from idp.accounts.models import GuessCounter

        times = {"known@example.org": [], "unknown@example.org": []}
        for _ in range(60):
            for email, taken in times.items():
                GuessCounter.objects.all().delete()
                connection.cursor().execute("DELETE FROM kernel_limit")
                browser = Client()
                begin = time.perf_counter()
                browser.post(path, {"login": email, "email": email, "password": "a long enough pass phrase", "way": path.partition("?")[2]})
                taken.append(time.perf_counter() - begin)
        known, unknown = (statistics.median(taken) for taken in times.values())
        assert abs(known - unknown) < 0.1 * max(known, unknown) + 0.001
