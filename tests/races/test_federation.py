"""Twenty hands, one effect: a state, a posted token, one account elsewhere for two people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection
from django.test import Client

from idp.accounts import invitations
from idp.accounts.models import User
from idp.federation import allauth, documents, id_token, linking, posted, upstreams
from idp.federation.identity import Identity
from idp.federation.models import Challenge
from idp.kernel import generations
from idp.kernel.ids import digest
from tests.support.factories import make_person
from tests.support.racing import at_once
from tests.support.upstream import FakeUpstream

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
HANDS = 20


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    generations.forget()
    documents.forget()
    connection.close()


@pytest.mark.clause("GL-08")
def test_one_account_elsewhere_and_two_people(corp: FakeUpstream) -> None:
    """GL-08: the same sub linked by two people at once: one wins (unique constraint)."""
    people = [make_person(email=f"p{number}@example.org") for number in range(2)]
    upstream = upstreams.everything()["corp"]
    who = Identity("corp", corp.issuer, "u-1", "x@example.org", email_proven=True)

    def link(number: int) -> bool:
        try:
            linking.link(upstream, people[number % 2], who)
        except allauth.Taken:
            return False
        return True

    done = at_once(HANDS, link)
    owner = SocialAccount.objects.get().user_id
    assert [number for number, won in enumerate(done) if won] == [number for number in range(HANDS) if people[number % 2].pk == owner]


@pytest.mark.clause("GL-08")
def test_one_new_person(corp: FakeUpstream) -> None:
    upstream = upstreams.everything()["corp"]
    who = Identity("corp", corp.issuer, "u-1", "new@example.org", email_proven=True)

    def decide(number: int) -> bool:
        found = linking.decide(upstream, who)
        assert found.user is not None
        return found.created

    assert sum(at_once(HANDS, decide)) == 1
    assert User.objects.count() == SocialAccount.objects.count() == 1


@pytest.mark.clause("GL-02")
def test_one_owner_comes_many_times_at_once(corp: FakeUpstream) -> None:
    """GL-02: an account that nobody verified goes to its owner once, and every other answer finds them."""
    squatter = make_person(email="new@example.org", verified=False)
    upstream = upstreams.everything()["corp"]
    who = Identity("corp", corp.issuer, "u-1", "new@example.org", email_proven=True)

    def decide(number: int) -> bool:
        found = linking.decide(upstream, who)
        return found.user is not None and found.user.pk == squatter.pk

    assert all(at_once(8, decide))
    assert User.objects.count() == SocialAccount.objects.count() == 1


def test_one_invitation(corp: FakeUpstream, settings: Any) -> None:
    settings.IDP = settings.IDP.model_copy(update={"signup": "invitation"})
    row, _link = invitations.create()
    upstream = upstreams.everything()["corp"]

    def decide(number: int) -> bool:
        who = Identity("corp", corp.issuer, f"u-{number}", f"p{number}@example.org", email_proven=True)
        return linking.decide(upstream, who, invitation=row.pk).created

    assert sum(at_once(8, decide)) == 1
    assert User.objects.count() == 1


@pytest.mark.clause("GL-06")
def test_one_posted_token(corp: FakeUpstream) -> None:
    """GL-06: a posted token counts once."""
    upstreams.update("corp", posted_tokens=True)
    upstream = upstreams.everything()["corp"]
    client = Client()
    nonce = client.post("/federation/corp/nonce", {"client_id": "app"}).json()["nonce"]
    token = corp.id_token(nonce)

    def accept(number: int) -> bool:
        try:
            posted.accept(token, upstream, of_client="app")
        except id_token.Refused:
            return False
        return True

    assert sum(at_once(HANDS, accept)) == 1


@pytest.mark.clause("RC-05")
def test_one_answer(corp: FakeUpstream) -> None:
    client = Client()
    back = corp.arrive(client.post("/federation/corp/start")["Refresh"].removeprefix("0; url="))

    def come_back(number: int) -> bool:
        same = Client()
        same.cookies = client.cookies
        return bool(same.get(f"/federation/corp/callback?{urlencode(back)}").status_code == 302)

    assert sum(at_once(8, come_back)) == 1
    assert Challenge.objects.get(digest=digest(back["state"])).used_at is not None
    assert User.objects.count() == 1
