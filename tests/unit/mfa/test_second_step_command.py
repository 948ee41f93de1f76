"""`manage.py second_step`: the operator helps somebody who lost phone and codes."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from idp.events.models import EventRecord
from idp.mfa.models import RecoveryCodes, TotpDevice
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(capsys):
    def command(*arguments):
        call_command("second_step", *arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return command


def test_reset_removes_everything_ends_sessions_and_tells_the_person(run, person):
    app, browser = enrol(person), Client()
    browser.post("/login", {"login": person.email, "password": PASSWORD})
    browser.post("/login/second-factor", {"code": app.code()})
    browser.post("/account/security/recovery-codes")
    assert browser.get("/account").status_code == 200
    shown = run("show", person.email)
    assert (shown["authenticator_apps"], shown["recovery_codes_left"]) == (1, 10)
    reset = run("reset", person.email, "--reason", "Lost phone; seen at the desk")
    assert (reset["authenticator_apps"], reset["recovery_codes_left"]) == (0, 0)
    assert (TotpDevice.objects.count(), RecoveryCodes.objects.count()) == (0, 0)
    assert browser.get("/account").status_code == 302
    assert EventRecord.objects.get(name="factor.all_reset").person == person.pk
    assert "removed by whoever runs this service" in mails(person.email)[-1].text
    assert Client().post("/login", {"login": person.email, "password": PASSWORD})["Location"] == "/account"


def test_where_there_is_nothing_nothing_happens(run, person):
    before = EventRecord.objects.count()
    with pytest.raises(CommandError, match="no second step"):
        run("reset", person.email, "--reason", "Lost")
    assert EventRecord.objects.exclude(name="operator.command_run").count() == before


def test_nobody_of_that_name(run):
    with pytest.raises(CommandError, match="There is no such person"):
        run("reset", "nobody@example.org", "--reason", "Lost")
