"""Whoever has no mailbox hears of changes by text message; within budgets, and not at the mercy of whoever asks for codes."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts import people, sms
from idp.mfa import notices, reset
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD
from tests.support.mailbox import mails
from tests.support.messages import messages

pytestmark = pytest.mark.django_db
NUMBER = "+4915123456789"


@pytest.fixture
def phoned(db):
    """Somebody who has a number and no address."""
    return people.create(phone=NUMBER, password=PASSWORD, method="command", verified=True)


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """A context: what happens inside is committed at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.mark.clause("WK-17")
def test_each_change_of_a_factor_is_told(phoned, committed):
    with committed():
        enrol(phoned, name="Tablet")
    [added] = messages(NUMBER)
    assert "added to your account" in added.text
    assert "Tablet" in added.text
    assert f"{settings.IDP.issuer}/account/security" in added.text
    with committed():
        reset.ask(phoned, reason="lost", source="command")
    assert "was removed" in messages(NUMBER)[-1].text
    phoned.refresh_from_db()
    with committed():
        people.set_password(phoned, "an entirely new pass phrase")
    assert "was changed" in messages(NUMBER)[-1].text
    assert not mails()


def test_a_new_browser_is_told(phoned, committed):
    Client().post("/login", {"login": NUMBER, "password": PASSWORD})
    with committed():
        Client(REMOTE_ADDR="192.0.2.9").post("/login", {"login": NUMBER, "password": PASSWORD})
    [told] = messages(NUMBER)
    assert f"{settings.IDP.issuer}/account/activity/not-me" in told.text


def test_whoever_has_a_mailbox_gets_mail_only(person, committed):
    people.User.objects.update(phone=NUMBER, phone_verified_at=person.email_verified_at)
    person.refresh_from_db()
    with committed():
        notices.tell(person, "codes_made")
    assert len(mails(person.email)) == 1
    assert not messages()


def test_codes_do_not_use_up_what_news_may_cost(phoned, committed, monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"sms_per_person_per_hour": 2}))
    for _ in range(3):
        sms.send(to=NUMBER, text="a code", person=phoned.pk)
    assert len(messages(NUMBER)) == 2
    for _ in range(3):
        with committed():
            notices.tell(phoned, "codes_made")
    assert len(messages(NUMBER)) == 4, "two pieces of news, then enough"


def test_nothing_is_sent_of_what_is_taken_back(phoned, committed):
    from django.db import transaction

    with committed() as callbacks, transaction.atomic():
        notices.tell(phoned, "codes_made")
        transaction.set_rollback(True)
    assert not callbacks
    assert not messages()
