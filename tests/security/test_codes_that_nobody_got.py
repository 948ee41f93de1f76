"""A code that was sent to nobody is guessed by nobody: once an address had its messages, no number of attempts proves it."""

from __future__ import annotations

import pytest
from django.test import Client

from idp.accounts import address_change, proofs
from idp.accounts.address_change import Kind
from idp.accounts.models import AddressChange, AddressProof, User
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
VICTIM, CODE = "victim@example.org", "123456"


@pytest.fixture(autouse=True)
def known_codes(monkeypatch):
    """Every code is 123456: the attacker is always lucky."""
    monkeypatch.setattr("secrets.randbelow", lambda _below: int(CODE))


@pytest.mark.clause("EM-12", "PW-18")
def test_a_sign_up_whose_message_was_not_sent(client):
    for _ in range(proofs.PER_HOUR[proofs.Purpose.SIGN_UP]):
        proofs.begin_sign_up(VICTIM, password=PASSWORD)
    sent = len(mails(VICTIM))
    assert client.post("/signup", {"email": VICTIM, "password": PASSWORD})["Location"] == "/signup/verify"
    assert len(mails(VICTIM)) == sent
    answer = client.post("/signup/verify", {"code": CODE})
    assert answer.status_code == 400
    assert "2 tries are left" in answer.content.decode(), "it looks like any wrong code"
    assert not User.objects.exists()
    # One that was sent works all the same.
    assert proofs.confirm(AddressProof.objects.order_by("sent_at").first().pk, CODE).user is not None


@pytest.mark.clause("EM-12")
@pytest.mark.parametrize("purpose", ["code", "recovery"])
def test_a_way_into_an_account_whose_message_was_not_sent(person, settings, purpose):
    settings.IDP = settings.IDP.model_copy(update={"sign_in_methods": ("password", "email_code", "magic_link")})
    begin = proofs.begin_code if purpose == "code" else proofs.begin_recovery
    for _ in range(proofs.PER_HOUR[proofs.Purpose(purpose)]):
        begin(person.email)
    unsent = begin(person.email)
    assert proofs.confirm(unsent.pk, CODE).refusal == "wrong"
    assert AddressProof.objects.get(pk=unsent.pk).link is None


@pytest.mark.clause("EM-12", "PW-04")
def test_a_new_address_whose_message_was_not_sent(person):
    for number in range(address_change.PER_ADDRESS):
        address_change.begin(make_person(email=f"n{number}@example.org"), kind=Kind.EMAIL, address=VICTIM)
    address_change.begin(person, kind=Kind.EMAIL, address=VICTIM)
    assert address_change.confirm(person, kind=Kind.EMAIL, code=CODE).refusal == "wrong"
    assert address_change.confirm(AddressChange.objects.order_by("created_at").first().user, kind=Kind.EMAIL, code=CODE).done


def test_another_browser_enters_nothing(client):
    client.post("/signup", {"email": VICTIM, "password": PASSWORD})
    assert Client().post("/signup/verify", {"code": CODE}).status_code == 400
