"""Groups: made, changed, filled and deleted, by functions and by command; what the strictest asks."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from idp.access import groups
from idp.access.models import Group, Membership
from idp.events.models import EventRecord
from idp.sessions.assurance import PHISHING_RESISTANT, TWO_FACTORS
from tests.support.factories import make_person

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command("group", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_life_of_a_group(person):
    made = run("create", "team/finance", "--description", "Money", "--min-acr", TWO_FACTORS, "--trusted-browsers", "no")
    assert made == {
        "name": "team/finance",
        "description": "Money",
        "min_acr": TWO_FACTORS,
        "trusted_browsers": False,
        "people_count": 0,
    }
    eve = make_person(email="eve@example.org")
    assert run("add", "team/finance", person.email, str(eve.pk))["people_count"] == 2
    assert run("add", "team/finance", person.email)["people_count"] == 2
    assert groups.names_of(person.pk) == ["team/finance"]
    assert [entry["email"] for entry in run("show", "team/finance")["people"]] == [person.email, eve.email]
    assert run("remove", "team/finance", eve.email)["people_count"] == 1
    assert run("update", "team/finance", "--name", "finance", "--min-acr", "")["min_acr"] == ""
    assert [group["name"] for group in run("list")["groups"]] == ["finance"]
    assert run("delete", "finance") == {"name": "finance", "deleted": True}
    assert (Group.objects.count(), Membership.objects.count()) == (0, 0)
    names = list(EventRecord.objects.filter(name__startswith="group.").order_by("id").values_list("name", flat=True))
    assert names == [
        "group.created",
        "group.member_added",
        "group.member_added",
        "group.member_removed",
        "group.updated",
        "group.deleted",
    ]


@pytest.mark.parametrize("name", ["", "Team", "a b", ".a", "ä", "x" * 101, "a\n", "a\x00"])
def test_a_name_that_is_none(name):
    with pytest.raises(CommandError, match="A name has"):
        run("create", name)
    assert Group.objects.count() == 0


def test_mistakes_change_nothing(person):
    run("create", "a")
    with pytest.raises(CommandError, match="already a group"):
        run("create", "a")
    run("create", "b")
    with pytest.raises(CommandError, match="already a group"):
        run("update", "b", "--name", "a")
    with pytest.raises(CommandError, match="at least one thing"):
        run("update", "b")
    with pytest.raises(CommandError, match="no group"):
        run("delete", "c\x00")
    with pytest.raises(CommandError):
        run("add", "a", person.email, "nobody@example.org")
    assert Membership.objects.count() == 0
    with pytest.raises(groups.GroupError):
        groups.create(name="c", min_acr="gold")
    with pytest.raises(groups.GroupError):
        groups.create(name="c", description="two\nlines")


def test_the_strictest_group_counts(person, django_assert_num_queries):
    plain = groups.create(name="plain")
    groups.add(plain, person)
    groups.requirement(person.pk)
    with django_assert_num_queries(1):  # the generation: this test is one open transaction
        assert groups.requirement(person.pk) == groups.NONE
    staff = groups.create(name="staff", min_acr=TWO_FACTORS, trusted_browsers=False)
    vault = groups.create(name="vault", min_acr=PHISHING_RESISTANT)
    assert groups.requirement(person.pk) == groups.NONE
    groups.add(staff, person)
    groups.add(vault, person)
    assert groups.requirement(person.pk) == groups.Requirement(PHISHING_RESISTANT, trusted_browsers=False)
    groups.delete(staff)
    assert groups.requirement(person.pk) == groups.Requirement(PHISHING_RESISTANT, trusted_browsers=True)
    groups.change(vault, min_acr="")
    assert groups.requirement(person.pk) == groups.NONE


def test_a_person_who_is_deleted_is_in_no_group(person):
    groups.add(groups.create(name="a"), person)
    person.delete()
    assert Membership.objects.count() == 0
