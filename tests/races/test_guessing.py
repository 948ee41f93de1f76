"""Two hundred guesses as fast as a process takes them: only the limit is looked at (hostile cases PW-10, PW-17, EM-02). On SQLite and on PostgreSQL."""

from __future__ import annotations

from collections import Counter

import pytest
from django.test import Client

from idp.accounts import lockout, people, recovery
from idp.accounts.models import User
from idp.events.models import EventRecord
from tests.support.factories import make_person
from tests.support.mailbox import mails
from tests.support.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)
GUESSES = 200
THREADS = 5  # each takes a database connection, and the pool of a process has eight


@pytest.mark.parametrize("login", ["ada@example.org", "nobody@example.org"])
def test_two_hundred_passwords(login, monkeypatch):
    make_person()
    monkeypatch.setattr("idp.accounts.authentication.REFUSALS", 10_000)  # the network's own limit is another test
    evaluated = []
    original = people.passwords.BoundedArgon2Hasher.encode
    verify = people.passwords.BoundedArgon2Hasher.verify
    monkeypatch.setattr("idp.accounts.passwords.BoundedArgon2Hasher.encode", lambda *a: evaluated.append("dummy") or original(*a))
    monkeypatch.setattr("idp.accounts.passwords.BoundedArgon2Hasher.verify", lambda *a: evaluated.append("verify") or verify(*a))

    def guess(number: int) -> list[int]:
        password = f"a wrong pass phrase {number}"
        return [Client().post("/login", {"login": login, "password": password}).status_code for _ in range(GUESSES // THREADS)]

    answers = [status for statuses in at_once(THREADS, guess) for status in statuses]
    assert Counter(answers) == {400: lockout.LIMIT, 429: GUESSES - lockout.LIMIT}
    assert len([kind for kind in evaluated if kind == ("verify" if login.startswith("ada") else "dummy")]) == lockout.LIMIT
    assert EventRecord.objects.filter(name="sign_in.failed").count() == GUESSES


def test_twenty_sign_ups_of_one_address():
    browsers = [Client() for _ in range(20)]
    form = {"password": "a long enough pass phrase"}
    pages = at_once(20, lambda number: browsers[number].post("/signup", {**form, "email": f"{'New' if number % 2 else 'new'}@example.org"}))
    assert {page["Location"] for page in pages} == {"/signup/verify"}
    assert User.objects.count() == 0
    assert 1 <= len(mails("new@example.org")) <= 6  # nobody's mailbox is flooded


def test_twenty_uses_of_a_recovery_link():
    person = make_person()
    recovery.request_link("ada@example.org")
    [token] = [link.split("token=")[1] for link in mails("ada@example.org")[0].links if "token=" in link]

    def use(number):
        try:
            recovery.complete(token, f"an entirely new pass phrase {number}")
        except people.Overtaken:
            return None
        return number

    [winner] = [number for number in at_once(20, use) if number is not None]
    person.refresh_from_db()
    assert person.credential_epoch == 1
    assert person.check_password(f"an entirely new pass phrase {winner}")
    assert EventRecord.objects.filter(name="account.recovered").count() == 1


@pytest.mark.parametrize("login", ["ada@example.org", "nobody@example.org"])
def test_two_hundred_codes(login, monkeypatch):
    """PW-10 and PW-12 for codes that sign in: of any number of parallel guesses three are looked at, whoever's they are."""
    from idp.accounts import proofs

    make_person()
    monkeypatch.setattr("idp.accounts.authentication.GUESSES", 10_000)
    proof = proofs.begin_code(login)
    verdicts = at_once(
        THREADS, lambda number: [proofs.confirm(proof.pk, f"x{number}{turn:04d}").refusal for turn in range(GUESSES // THREADS)]
    )
    answers = Counter(refusal for several in verdicts for refusal in several)
    assert set(answers) <= {"wrong", "spent", "locked"}
    assert answers.total() == GUESSES
    assert EventRecord.objects.filter(name="sign_in.failed").count() == proofs.TRIES  # what was looked at


def test_twenty_uses_of_one_invitation():
    """One link, many hands: one account."""
    from idp.accounts import invitations

    invitation, _link = invitations.create()
    assert sum(at_once(20, lambda _number: invitations.claim(invitation.pk))) == 1


def test_twenty_uses_of_one_task():
    """One piece of work, many guesses: one is looked at."""
    from idp.accounts import challenge

    monkey = challenge.BITS
    challenge.BITS = 0
    try:
        task = challenge.new()
        assert sum(at_once(20, lambda _number: challenge.accept(task.token, "1"))) == 1
    finally:
        challenge.BITS = monkey
