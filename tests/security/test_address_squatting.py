"""An address belongs to who reads its mail: PW-17, PW-18, and links that follow the configuration (EM-11)."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test import Client

from idp.accounts.models import AddressProof, User
from tests.support.mailbox import mails

MINE, THEIRS = "the owner's own pass phrase", "the squatter's own phrase"


@pytest.mark.django_db
def test_a_sign_up_that_was_never_proved_blocks_nobody():
    squatter, owner = Client(), Client()
    squatter.post("/signup", {"email": "owner@example.org", "password": THEIRS})
    owner.post("/signup", {"email": "Owner@example.org", "password": MINE})
    code = mails("owner@example.org")[-1].code
    # The squatter cannot use the owner's code, nor the owner's click help the squatter.
    assert squatter.post("/signup/verify", {"code": code}).status_code == 400
    assert owner.post("/signup/verify", {"code": code}).status_code == 302
    person = User.objects.get()
    assert person.check_password(MINE)
    assert not person.check_password(THEIRS)


@pytest.mark.django_db
def test_the_second_proof_of_one_address_makes_no_second_account():
    first, second = Client(), Client()
    for browser, password in ((first, MINE), (second, THEIRS)):
        browser.post("/signup", {"email": "owner@example.org", "password": password})
    codes = [mail.code for mail in mails("owner@example.org")]
    assert first.post("/signup/verify", {"code": codes[0]}).status_code == 302
    late = second.post("/signup/verify", {"code": codes[1]})
    assert late["Location"] == "/login?done=registered"
    assert User.objects.get().check_password(MINE)
    assert second.get("/account/password").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_parallel_sign_ups_of_one_address_make_one_account():
    browsers = [Client() for _ in range(6)]
    spellings = [
        "owner@example.org",
        "Owner@example.org",
        "OWNER@EXAMPLE.ORG",
        "owner@Example.org",
        "\uff4fwner@example.org",
        "owner@example.org ",
    ]
    for browser, email in zip(browsers, spellings, strict=True):
        browser.post("/signup", {"email": email, "password": MINE})
    codes = [mail.code for mail in mails("owner@example.org")]
    proofs = {str(proof.pk) for proof in AddressProof.objects.all()}
    assert len(proofs) == len(codes) == 6
    answers, start = [], threading.Barrier(6)

    def run(browser, code):
        try:
            start.wait()
            answers.append(browser.post("/signup/verify", {"code": code})["Location"])
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in zip(browsers, codes, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["/account"] + ["/login?done=registered"] * 5
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_of_a_code_get_three_tries():
    from idp.accounts import proofs

    Client().post("/signup", {"email": "owner@example.org", "password": MINE})
    proof = AddressProof.objects.get()
    code = mails("owner@example.org")[0].code
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    verdicts, start = [], threading.Barrier(10)

    def run():
        try:
            start.wait()
            verdicts.append(proofs.confirm(proof.pk, wrong).refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proof.refresh_from_db()
    assert proof.tries == 3
    assert proofs.confirm(proof.pk, code).refusal == "spent"
    assert User.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}, {"X-Forwarded-Server": "evil.example"}]
)
def test_links_follow_the_configuration_not_the_request(client, person, headers):
    client.post("/password/forgot", {"email": "ada@example.org"}, headers=headers)
    [mail] = mails("ada@example.org")
    assert "evil" not in mail.text + mail.html
    assert all(link.startswith("http://localhost:8000") for link in mail.links)


@pytest.mark.django_db
def test_another_host_is_refused_and_mails_nobody(client, person):
    assert client.post("/password/forgot", {"email": "ada@example.org"}, headers={"Host": "evil.example"}).status_code == 400
    assert mails() == []


@pytest.mark.django_db(transaction=True)
def test_parallel_uses_of_a_reset_link_have_one_effect():
    """Hostile case EM-02."""
    from idp.accounts import people, recovery
    from tests.support.factories import make_person

    person = make_person()
    recovery.request_link("ada@example.org")
    [token] = [link.split("token=")[1] for link in mails("ada@example.org")[0].links if "token=" in link]
    outcomes, start = [], threading.Barrier(8)

    def run(number):
        try:
            start.wait()
            recovery.complete(token, f"an entirely new pass phrase {number}")
            outcomes.append(number)
        except people.Overtaken:
            outcomes.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [number for number in outcomes if number is not None]
    assert len(outcomes) == 8
    person.refresh_from_db()
    assert person.credential_epoch == 1
    assert person.check_password(f"an entirely new pass phrase {winner}")
    assert recovery.person_of(token) is None
