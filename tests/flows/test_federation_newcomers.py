"""Who comes through another provider for the first time: with and without an invitation, after a squatter; and what they add then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from idp.accounts import invitations, ways_in
from idp.accounts.models import Invitation, User
from idp.events.models import EventRecord
from idp.federation import allauth, linking, upstreams
from idp.federation.identity import Identity
from idp.mfa.models import WebAuthnKey
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.security_key import add_key
from tests.support.upstream import FakeUpstream, go

pytestmark = pytest.mark.django_db


@pytest.fixture
def by_invitation(settings: Any) -> None:
    settings.IDP = settings.IDP.model_copy(update={"signup": "invitation"})


def by_link(client: Client, link: str) -> None:
    assert client.get(link)["Location"] == "/signup"
    assert b'id="upstream-corp"' in client.get("/signup").content


@pytest.mark.usefixtures("by_invitation")
class TestInvitations:
    def test_nobody_without_one(self, client: Client, corp: FakeUpstream):
        answer = go(client, corp)
        assert answer.status_code == 400
        assert b"You need an invitation" in answer.content
        assert not User.objects.exists()
        assert EventRecord.objects.get(name="federation.refused").data["reason"] == "uninvited"

    def test_one_that_was_carried_along_lets_one_person_in(self, client: Client, corp: FakeUpstream):
        _row, link = invitations.create()
        by_link(client, link)
        assert go(client, corp)["Location"] == "/account"
        assert Invitation.objects.get().used_at is not None
        assert "invitation" not in client.session
        corp.person |= {"sub": "u-2", "email": "eve@example.org"}
        assert Client().get(link).status_code == 403
        assert go(client, corp).status_code == 400  # the same browser, the next person
        assert User.objects.count() == 1
        corp.person |= {"sub": "u-1"}
        assert go(Client(), corp)["Location"] == "/account"  # whoever has an account needs none

    def test_of_two_browsers_with_one_link_one_gets_in(self, corp: FakeUpstream):
        _row, link = invitations.create()
        first, second = Client(), Client()
        by_link(first, link)
        by_link(second, link)
        assert go(first, corp)["Location"] == "/account"
        corp.person |= {"sub": "u-2", "email": "eve@example.org"}
        assert go(second, corp).status_code == 400
        assert User.objects.count() == 1

    def test_one_for_the_address_needs_no_link(self, client: Client, corp: FakeUpstream):
        """The provider vouches for the address, which is what the mail with the link would prove."""
        invitations.create(address="Ada@Example.org")
        invitations.create(address="eve@example.org")
        assert go(client, corp)["Location"] == "/account"
        assert {row.address for row in invitations.usable()} == {"eve@example.org"}

    def test_one_for_another_address_does_not(self, client: Client, corp: FakeUpstream):
        _row, link = invitations.create(address="eve@example.org")
        by_link(client, link)
        answer = go(client, corp)
        assert answer.status_code == 400
        assert b"Your invitation is for another address" in answer.content
        assert invitations.usable().count() == 1

    def test_one_that_is_over_does_not(self, client: Client, corp: FakeUpstream):
        row, link = invitations.create(address="ada@example.org")
        by_link(client, link)
        Invitation.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert go(client, corp).status_code == 400

    def test_an_address_that_is_not_vouched_for_uses_none_up(self, client: Client, corp: FakeUpstream):
        """GL-03: it opens nothing; by a code the person can still sign up, and link then."""
        _row, link = invitations.create()
        invitations.create(address="ada@example.org")
        by_link(client, link)
        corp.person |= {"email_verified": False}
        assert go(client, corp)["Location"] == "/login/link"
        assert b'id="link-sign-up"' in client.get("/login/link").content
        assert invitations.usable().count() == 2
        client.post("/signup", {"email": "ada@example.org", "password": PASSWORD, "next": "/login/link"})
        answer = client.post("/signup/verify", {"code": mails("ada@example.org")[0].code, "next": "/login/link"})
        assert answer["Location"] == "/login/link"
        client.post("/login/link", {"decision": "link"})
        assert ways_in.count(User.objects.get()) == 2
        assert invitations.usable().count() == 1

    def test_a_provider_for_nobody_new_stays_so(self, client: Client, corp: FakeUpstream):
        invitations.create(address="ada@example.org")
        upstreams.update("corp", signup=False)
        assert go(client, corp).status_code == 400
        assert invitations.usable().count() == 1


@pytest.mark.parametrize("signup", ["closed", "invitation"])
def test_who_does_not_get_in_changes_nothing(client: Client, corp: FakeUpstream, settings: Any, signup: str):
    """An account that nobody verified is not taken away for somebody who gets none."""
    squatter = make_person(verified=False)
    User.objects.filter(pk=squatter.pk).update(unverified_until=timezone.now() + timedelta(days=1))
    settings.IDP = settings.IDP.model_copy(update={"signup": signup})
    assert go(client, corp).status_code == 400
    assert User.objects.get().pk == squatter.pk


@pytest.mark.parametrize("own", [True, False], ids=["made by themselves", "made by an operator"])
def test_a_squatters_passkeys_phone_and_sessions_end(client: Client, corp: FakeUpstream, own: bool):
    """GL-02, PW-18: whichever way the account came to be, nothing that was set up before the owner came lets anybody in."""
    squatter = make_person()
    there = Client()
    there.post("/login", {"login": "ada@example.org", "password": PASSWORD})
    add_key(squatter)
    assert there.get("/account").status_code == 200
    later = timezone.now() + timedelta(days=1) if own else None
    User.objects.filter(pk=squatter.pk).update(email_verified_at=None, unverified_until=later, phone="+441632960001")
    assert go(client, corp)["Location"] == "/account"
    assert not WebAuthnKey.objects.exists()
    assert there.get("/account").status_code == 302
    assert Client().post("/login", {"login": "ada@example.org", "password": PASSWORD}).status_code == 400
    owner = User.objects.get(email="ada@example.org")
    assert (owner.pk == squatter.pk) is not own
    assert owner.phone is None
    assert ways_in.count(owner) == 1


def test_an_account_of_another_provider_gets_a_passkey_and_a_password(client: Client, corp: FakeUpstream):
    """Then the link can be ended."""
    go(client, corp)
    user = User.objects.get()
    assert client.get("/account/security/passkey").status_code == 200  # signed in a moment ago: that is proof enough
    add_key(user)
    assert ways_in.count(user) == 2
    WebAuthnKey.objects.all().delete()
    assert b"no password yet" in client.get("/account/password").content
    client.post("/password/forgot", {"email": "ada@example.org"})
    [link] = [link for mail in mails("ada@example.org") for link in mail.links if "token=" in link]
    client.get(link.removeprefix("http://localhost:8000"))
    assert client.post("/password/reset", {"password": PASSWORD})["Location"] == "/login?done=reset"
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    other = Client()
    assert other.post("/login", {"login": "ada@example.org", "password": PASSWORD})["Location"] == "/account"
    assert b'name="unlink"' in other.get("/account/linked").content


def test_two_answers_at_once_for_one_newcomer_are_one_person(corp: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    """GL-08: the one that comes second finds the link that the first one made, whatever it saw before."""
    upstream = upstreams.everything()["corp"]
    who = Identity("corp", corp.issuer, "u-1", "ada@example.org", email_proven=True)
    made = linking.decide(upstream, who)
    assert made.created
    real, looked = allauth.link_of, []

    def late(issuer: str, subject: str) -> allauth.Link | None:
        looked.append(subject)
        return real(issuer, subject) if len(looked) > 1 else None

    monkeypatch.setattr(allauth, "link_of", late)
    found = linking.decide(upstream, who)
    assert found.user == made.user
    assert not found.created
