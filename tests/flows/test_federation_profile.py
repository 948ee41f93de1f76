"""What another provider says about people is followed, where nobody here said otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.federation import upstreams
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.upstream import FakeUpstream, go

pytestmark = pytest.mark.django_db


def address() -> tuple[str | None, bool]:
    user = User.objects.get()
    return user.email, user.email_verified


def test_a_new_address_is_followed_and_told(client: Client, corp: FakeUpstream):
    """The former address hears of it and can take it back; then it is the person's word that counts."""
    go(client, corp)
    corp.person |= {"email": "Ada.King@example.org"}
    go(Client(), corp)
    assert address() == ("ada.king@example.org", True)
    assert EventRecord.objects.filter(name="account.email_changed").count() == 1
    [notice] = mails("ada@example.org")
    [link] = [link for link in notice.links if "undo" in link]
    here = Client()
    here.get(link.removeprefix(settings.IDP.issuer))
    here.post("/account/address/undo")
    assert address() == ("ada@example.org", True)
    go(Client(), corp)
    assert address() == ("ada@example.org", True)


@pytest.mark.parametrize(
    "said",
    [{"email": "new@example.org", "email_verified": False}, {"email": "eve@example.org"}, {"email": None}, {"email": "no address"}],
    ids=str,
)
def test_what_is_not_vouched_for_or_somebody_elses_is_not(client: Client, corp: FakeUpstream, said: dict[str, Any]):
    """GL-03."""
    go(client, corp)
    sub = User.objects.get().pk
    make_person(email="eve@example.org")
    corp.person |= said
    assert go(Client(), corp)["Location"] == "/account"
    assert User.objects.get(pk=sub).email == "ada@example.org"
    assert User.objects.count() == 2


def test_what_the_person_or_the_policy_says_stays(client: Client, corp: FakeUpstream):
    go(client, corp)
    User.objects.update(email="mine@example.org")
    corp.person |= {"email": "new@example.org"}
    go(Client(), corp)
    assert address() == ("mine@example.org", True)
    User.objects.update(email="new@example.org")
    upstreams.update("corp", refresh="never")
    corp.person |= {"email": "newer@example.org"}
    go(Client(), corp)
    assert address() == ("new@example.org", True)


def test_linking_fills_what_is_empty_and_nothing_else(client: Client, corp: FakeUpstream):
    user = make_person(email="mine@example.org")
    client.post("/login", {"login": "mine@example.org", "password": PASSWORD})
    assert go(client, corp, path="/account/linked", link="corp")["Location"] == "/login/link"
    client.post("/login/link", {"decision": "link"})
    user.refresh_from_db()
    assert (user.email, user.claims) == ("mine@example.org", {"name": "Ada L."})


def test_claims_that_are_none_are_left_out(client: Client, corp: FakeUpstream):
    """Each is judged by its schema; one that does not fit costs no other, and nobody the sign-in."""
    upstreams.update(
        "corp", mapping={name: name for name in ("name", "given_name", "family_name", "picture", "locale", "nickname", "website")}
    )
    corp.person |= {
        "name": ["Ada"], "given_name": {"a": {"b": {"c": {}}}}, "family_name": "x" * 5000, "picture": "javascript:alert(1)", "locale": 7,
        "nickname": "Ada\u202eevil", "website": "https://ada.example",
    }  # fmt: skip
    assert go(client, corp)["Location"] == "/account"
    assert User.objects.get().claims == {"website": "https://ada.example"}
