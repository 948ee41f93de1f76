"""`manage.py staff`: who may use the console."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from idp.accounts import people
from idp.accounts.models import User
from idp.events.models import EventRecord

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("staff", *arguments, stdout=out)
    return out.getvalue()


def staff_events():
    return list(EventRecord.objects.filter(name__startswith="staff.").order_by("id").values_list("name", "person"))


def test_a_person_is_let_in_listed_and_shut_out(person):
    assert json.loads(run("grant", "ADA@example.org", "--json")) == {"sub": str(person.pk), "email": "ada@example.org", "staff": True}
    run("grant", str(person.pk))  # a second time changes nothing and is no event
    assert User.objects.get(pk=person.pk).is_staff
    assert json.loads(run("list", "--json"))["staff"] == [{"sub": str(person.pk), "email": "ada@example.org", "active": True}]
    assert run("list").split() == ["ada@example.org", str(person.pk)]
    run("revoke", "ada@example.org")
    assert not User.objects.get(pk=person.pk).is_staff
    assert run("list").startswith("Nobody.")
    assert staff_events() == [("staff.granted", person.pk), ("staff.revoked", person.pk)]


def test_nobody_is_let_in_by_mistake(person):
    with pytest.raises(CommandError, match="no such person"):
        run("grant", "bob@example.org")
    people.disable(person)
    with pytest.raises(CommandError, match="disabled"):
        run("grant", "ada@example.org")
    assert staff_events() == []
