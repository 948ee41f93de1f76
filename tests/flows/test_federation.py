"""Signing in through another provider, by the pages, as a browser without JavaScript does it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from idp.accounts import people
from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.federation import upstreams
from idp.federation.models import Challenge
from idp.kernel import clock
from idp.mfa.models import RecoveryCodes
from tests.support.factories import PASSWORD, make_person
from tests.support.upstream import FakeUpstream, go, session_of

pytestmark = pytest.mark.django_db


def sign_in(client: Client, *, login: str = "ada@example.org", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/login", {"login": login, "password": password, **more})


def names() -> list[str]:
    return list(EventRecord.objects.order_by("id").values_list("name", flat=True))


def signed_in_as(client: Client) -> str:
    page = client.get("/account")
    return str(session_of(client).person.email) if page.status_code == 200 else ""


def test_somebody_new_gets_an_account_with_what_the_upstream_says(client: Client, corp: FakeUpstream):
    corp.person |= {"picture": "https://pics.example/ada.png", "locale": "en-GB", "given_name": "Ada"}
    answer = go(client, corp)
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    user = User.objects.get(email="ada@example.org")
    assert user.email_verified
    assert not user.has_usable_password()
    assert user.claims == {"name": "Ada L.", "given_name": "Ada", "picture": "https://pics.example/ada.png", "locale": "en-GB"}
    assert signed_in_as(client) == "ada@example.org"
    assert names() == ["upstream.added", "account.created", "account.email_verified", "account.verified", "link.added", "sign_in.succeeded"]
    session = session_of(client)
    assert (session.acr, session.amr) == ("urn:kairos:acr:1fa", [])


def test_nothing_but_the_three_scopes_is_asked_for_and_no_token_is_kept(client: Client, corp: FakeUpstream):
    """GL-14: `openid email profile` whatever the query says; no token of the upstream is stored."""
    left = client.post(
        "/federation/corp/start?scope=admin&auth_params=prompt%3Dnone&state=x&redirect_uri=https://evil.example", {"scope": "admin"}
    )
    location = left["Refresh"].removeprefix("0; url=")
    back = corp.arrive(location)
    sent = corp.asked[-1][2]
    assert set(sent) == {"client_id", "redirect_uri", "scope", "response_type", "state", "nonce", "code_challenge", "code_challenge_method"}
    assert sent["scope"] == "openid email profile"
    assert sent["redirect_uri"] == "http://localhost:8000/federation/corp/callback"
    client.get(f"/federation/corp/callback?{urlencode(back)}")
    link = SocialAccount.objects.get()
    assert link.extra_data == {"email": "ada@example.org", "profile": {"name": "Ada L."}}
    assert not SocialToken.objects.exists()


def test_who_comes_back_is_the_same_person(client: Client, corp: FakeUpstream):
    go(client, corp)
    sub = User.objects.get().pk
    other = Client()
    corp.person |= {"email": "new@example.org"}  # identity is iss and sub, never the address
    assert go(other, corp)["Location"] == "/account"
    assert User.objects.get().pk == sub


def test_a_taken_address_is_linked_only_after_signing_in_here(client: Client, corp: FakeUpstream):
    ada = make_person()
    answer = go(client, corp)
    assert answer["Location"] == "/login/link"
    page = client.get("/login/link").content.decode()
    assert 'id="link-sign-in"' in page
    assert signed_in_as(client) == ""
    assert not SocialAccount.objects.exists()
    answer = sign_in(client, next="/login/link")
    assert answer["Location"] == "/login/link"
    page = client.get("/login/link").content.decode()
    # GL-07: the confirmation shows both accounts.
    assert 'id="link-confirm"' in page
    assert "ada@example.org" in page
    assert not SocialAccount.objects.exists()
    answer = client.post("/login/link", {"decision": "link"})
    assert answer["Location"] == "/account"
    assert SocialAccount.objects.get().user_id == ada.pk
    assert go(Client(), corp)["Location"] == "/account"
    assert "link.added" in names()


def test_somebody_else_cannot_take_what_waits_for_the_owner(client: Client, corp: FakeUpstream):
    make_person()
    make_person(email="mallory@example.org")
    go(client, corp)
    sign_in(client, login="mallory@example.org", next="/login/link")
    assert 'id="link-other"' in client.get("/login/link").content.decode()
    assert client.post("/login/link", {"decision": "link"}).status_code == 400
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("said", [{"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email": None}])
def test_an_address_that_is_not_vouched_for_opens_nothing(client: Client, corp: FakeUpstream, said: dict[str, Any]):
    """GL-03: an unproven address makes no account and matches none; whoever proves an account here may link."""
    corp.person |= said
    corp.person = {name: value for name, value in corp.person.items() if value is not None}
    assert go(client, corp)["Location"] == "/login/link"
    assert not User.objects.exists()
    with_nobody = client.get("/login/link").content
    make_person()
    assert go(client, corp)["Location"] == "/login/link"
    with_somebody = client.get("/login/link").content
    assert b"already an account" not in with_nobody
    assert b"already an account" not in with_somebody  # and tells nobody whether the address is taken
    sign_in(client, next="/login/link")
    client.post("/login/link", {"decision": "link"})
    assert SocialAccount.objects.get().user.email == "ada@example.org"


def test_a_squatter_keeps_nothing(client: Client, corp: FakeUpstream):
    """GL-02, PW-18: an account whose address nobody proved goes to whom the upstream vouches for, without what the squatter set up."""
    squatter = make_person(verified=False)
    RecoveryCodes.objects.create(user=squatter, name="")
    SocialAccount.objects.create(user=squatter, provider="https://elsewhere.example", uid="squatter")
    epoch = squatter.credential_epoch
    assert go(client, corp)["Location"] == "/account"
    user = User.objects.get(email="ada@example.org")
    assert not user.has_usable_password()
    assert user.email_verified
    assert user.credential_epoch > epoch or user.pk != squatter.pk
    assert not RecoveryCodes.objects.exists()
    assert [link.uid for link in SocialAccount.objects.filter(user=user)] == ["u-1"]


def test_a_squatters_phone_opens_nothing(client: Client, corp: FakeUpstream):
    """GL-02, PW-18: who proved only a phone number keeps that, and loses the address that was never theirs."""
    squatter = make_person(verified=False)
    User.objects.filter(pk=squatter.pk).update(phone="+441632960001", phone_verified_at=clock.now())
    assert go(client, corp)["Location"] == "/account"
    owner = User.objects.get(email="ada@example.org")
    assert owner.pk != squatter.pk
    assert owner.phone is None
    squatter.refresh_from_db()
    assert (squatter.email, squatter.phone) == (None, "+441632960001")
    assert SocialAccount.objects.get().user_id == owner.pk


def test_somebody_who_is_disabled_stays_out(client: Client, corp: FakeUpstream):
    """GL-10: refused, and no half session is left."""
    go(client, corp)
    people.disable(User.objects.get())
    other = Client()
    assert go(other, corp)["Location"] == "/login/disabled"
    assert signed_in_as(other) == ""


def test_switching_off_works_in_the_middle(client: Client, corp: FakeUpstream):
    """GL-12: no login and no link through a provider that staff switched off meanwhile."""
    left = client.post("/federation/corp/start")
    back = corp.arrive(left["Refresh"].removeprefix("0; url="))
    upstreams.update("corp", enabled=False)
    answer = client.get(f"/federation/corp/callback?{urlencode(back)}")
    assert answer.status_code == 400
    assert b"switched off" in answer.content
    assert not User.objects.exists()
    assert client.post("/federation/corp/start").status_code == 400
    upstreams.update("corp", enabled=True)
    make_person()
    go(client, corp)
    upstreams.update("corp", enabled=False)
    sign_in(client, next="/login/link")
    client.post("/login/link", {"decision": "link"})
    assert not SocialAccount.objects.exists()


def test_an_answer_counts_once_and_in_its_own_browser(client: Client, corp: FakeUpstream):
    """GL-07: `state` belongs to one upstream and one browser, and is spent by the first use."""
    upstreams.add(name="other", issuer=corp.issuer, client_id="x", secret="y")
    back = urlencode(corp.arrive(client.post("/federation/corp/start")["Refresh"].removeprefix("0; url=")))
    assert Client().get(f"/federation/corp/callback?{back}").status_code == 400  # the victim's browser
    assert client.get(f"/federation/other/callback?{back}").status_code == 400  # another provider
    assert client.get(f"/federation/corp/callback?{back}")["Location"] == "/account"
    assert client.get(f"/federation/corp/callback?{back}").status_code == 400
    assert Challenge.objects.exclude(used_at=None).count() == 1


def test_a_link_begins_and_ends_by_the_person_alone(client: Client, corp: FakeUpstream):
    """BR-05, GL-07: by POST, after a fresh proof, for the person who began it, with a confirmation that shows both accounts."""
    ada = make_person()
    corp.person |= {"email": "ada@corp.example"}
    assert client.get("/federation/corp/start").status_code == 405
    sign_in(client)
    answer = go(client, corp, path="/account/linked", link="corp")
    assert answer["Location"] == "/login/link"
    page = client.get("/login/link").content.decode()
    assert "ada@corp.example" in page
    assert "ada@example.org" in page
    assert client.post("/login/link", {"decision": "link"})["Location"] == "/account/linked"
    link = SocialAccount.objects.get()
    assert link.user_id == ada.pk
    assert b"ada@corp.example" in client.get("/account/linked").content
    assert client.post("/account/linked", {"unlink": str(link.pk)})["Location"] == "/account/linked"
    assert not SocialAccount.objects.exists()
    assert names()[-2:] == ["link.added", "link.removed"] or "link.removed" in names()


def test_a_link_of_another_person_is_not_stolen(client: Client, corp: FakeUpstream):
    """GL-08: one account there, one person here."""
    go(client, corp)  # ada@example.org, with u-1
    mallory = Client()
    make_person(email="mallory@example.org")
    sign_in(mallory, login="mallory@example.org")
    go(mallory, corp, path="/account/linked", link="corp")
    answer = mallory.post("/login/link", {"decision": "link"})
    assert answer.status_code == 400
    assert SocialAccount.objects.get().user.email == "ada@example.org"


def test_a_link_that_another_person_of_the_browser_began_links_nothing(client: Client, corp: FakeUpstream):
    """GL-07: what one person began does not end in the account of the next."""
    make_person()
    make_person(email="eve@example.org")
    sign_in(client)
    left = client.post("/account/linked", {"link": "corp"})
    back = corp.arrive(left["Refresh"].removeprefix("0; url="))
    sign_in(client, login="eve@example.org")
    assert client.get(f"/federation/corp/callback?{urlencode(back)}").status_code == 400
    assert not SocialAccount.objects.exists()


def test_the_last_way_in_stays(client: Client, corp: FakeUpstream):
    """WK-17: no unlinking where nothing else lets the person in; with a password it goes."""
    go(client, corp)
    link = SocialAccount.objects.get()
    client.post("/account/linked", {"unlink": str(link.pk)})
    assert SocialAccount.objects.exists()
    assert "last way in" in client.get("/account/linked").content.decode()
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    client.post("/account/linked", {"unlink": str(link.pk)})
    assert not SocialAccount.objects.exists()


def test_an_address_that_is_proved_on_the_way_says_nothing_about_a_password(client: Client, corp: FakeUpstream):
    """MF-14: `amr` is true for what happened, also where the address had to be proved before anybody got in."""
    from idp.sessions.models import BrowserSession
    from tests.support.mailbox import mails

    go(Client(), corp)
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.email_verified_at = None
    user.save()
    BrowserSession.objects.all().delete()
    corp.person |= {"email_verified": False}
    go(client, corp)
    [code] = [mail.code for mail in mails(user.email) if "is your code" in mail.subject]
    assert client.post("/signup/verify", {"code": code})["Location"] == "/account"
    assert BrowserSession.objects.exclude(sid="").get().amr == []


def test_saying_no_there_leads_back(client: Client, corp: FakeUpstream):
    left = client.post("/federation/corp/start", {"next": "/account/apps"})
    back = corp.arrive(left["Refresh"].removeprefix("0; url="))
    answer = client.get("/federation/corp/callback?" + urlencode({"error": "access_denied", "state": back["state"], "iss": back["iss"]}))
    assert answer["Location"] == "/login?next=%2Faccount%2Fapps&done=cancelled"


def test_what_the_person_edited_stays(client: Client, corp: FakeUpstream):
    go(client, corp)
    user = User.objects.get()
    corp.person |= {"name": "Ada Lovelace"}
    go(Client(), corp)
    user.refresh_from_db()
    assert user.claims["name"] == "Ada Lovelace"  # refreshed: nobody here had changed it
    user.claims["name"] = "Countess"
    user.save()
    corp.person |= {"name": "Ada King"}
    go(Client(), corp)
    user.refresh_from_db()
    assert user.claims["name"] == "Countess"
    upstreams.update("corp", refresh="never", mapping={"nickname": "name"})
    go(Client(), corp)
    user.refresh_from_db()
    assert "nickname" not in user.claims
