"""Links in our mails: each does one thing, once, and none of them opens the way to a new factor by itself."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts import address_change, erasure, invitations, recovery
from idp.accounts.models import User
from idp.mfa.models import TotpDevice, WebAuthnKey
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
ADDING = ("/account/security/passkey", "/account/security/authenticator", "/account/security/recovery-codes")
OPTIONS = "/account/security/passkey/options"


def path(mail) -> str:
    [found] = [link for link in mail.links if "token=" in link or "link=" in link]
    return found.removeprefix(settings.IDP.issuer)


def of_recovery(person: User) -> str:
    recovery.request_link(person.email or "")
    return path(mails(person.email)[-1])


def of_undo(person: User) -> str:
    address_change.begin(person, kind=address_change.Kind.EMAIL, address="new@example.org")
    address_change.confirm(person, kind=address_change.Kind.EMAIL, code=mails("new@example.org")[-1].code)
    return path(mails("ada@example.org")[-1])


def of_keeping(person: User) -> str:
    erasure.ask(person)
    return path(mails(person.email)[-1])


def of_lost_factor(person: User) -> str:
    from idp.mfa import reset

    enrol(person)
    reset.begin_alone(person)
    return path(mails(person.email)[-1])


def of_invitation(_person: User) -> str:
    return invitations.create()[1].removeprefix(settings.IDP.issuer)


@pytest.mark.clause("WK-16", "EM-01")
@pytest.mark.parametrize("make", [of_recovery, of_undo, of_keeping, of_lost_factor, of_invitation])
def test_no_link_leads_to_a_new_factor(person, monkeypatch, make):
    """Whoever holds the mailbox only cannot add a passkey or an app: opened or used, the link signs nobody in."""
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"lost_factor_hours": 24}))
    link, browser = make(person), Client()
    held = TotpDevice.objects.count()
    landed = browser.get(link)
    page = landed["Location"] if landed.status_code == 302 else link
    browser.get(page)
    browser.post(page, {"password": "an entirely new pass phrase"})
    for address in ADDING:
        assert browser.get(address)["Location"].startswith("/login")
        assert browser.post(address, {"code": "123456", "name": "x", "state": "x", "answer": "{}"})["Location"].startswith("/login")
    assert browser.post(OPTIONS).status_code == 302
    assert (TotpDevice.objects.count(), WebAuthnKey.objects.count()) == (held, 0)


@pytest.mark.clause("WK-16")
@pytest.mark.parametrize("has_password", [True, False])
def test_a_magic_link_is_spent_before_anything_can_be_added(person, client, monkeypatch, has_password):
    """The one link that signs in: good once, in the browser that asked, and no proof for who has a stronger one."""
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"sign_in_methods": ("password", "magic_link")}))
    if not has_password:
        User.objects.update(password="!")
    client.post("/login", {"login": person.email, "way": "code"})
    link = path(mails(person.email)[-1])
    client.get(link)
    assert client.post("/login/code", {"with_link": "1"})["Location"] == "/account"
    # Spent now, before any ceremony: the same link opens nothing more, here or elsewhere.
    again = Client()
    assert again.get(link).status_code == 400
    assert again.post("/login/code", {"with_link": "1"}).status_code == 400
    # Whoever has a password proves it first; whoever has nothing else adds the first passkey.
    assert client.post(OPTIONS).status_code == (403 if has_password else 200)
    assert client.get(ADDING[0]).status_code == (302 if has_password else 200)


@pytest.mark.clause("EM-02", "WK-16")
def test_a_link_that_was_used_opens_nothing(person):
    link, first, second = of_recovery(person), Client(), Client()
    first.get(link)
    second.get(link)
    assert first.post("/password/reset", {"password": "an entirely new pass phrase"})["Location"].startswith("/login")
    assert second.post("/password/reset", {"password": "another rather long phrase"}).status_code == 400
    assert Client().post("/login", {"login": person.email, "password": PASSWORD}).status_code == 400
