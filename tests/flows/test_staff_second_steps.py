"""The staff console's part of the second-step policy: groups, resets with a reason and a second member of staff, an app's minimum."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client as Browser

from idp.access.models import Group, Membership
from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.mfa import reset
from idp.mfa.models import ResetRequest, TotpDevice, TrustedBrowser
from idp.oidc.clients import registry
from idp.sessions.assurance import TWO_FACTORS
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
GROUPS = "/staff/access/group/"
RESETS = "/staff/idp_mfa/resetrequest/"
PEOPLE = "/staff/accounts/user/"


def officer(email: str) -> tuple[User, Browser]:
    user = make_person(email=email)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Browser()
    browser.force_login(user)
    return User.objects.get(pk=user.pk), browser


@pytest.fixture
def grace(db):
    return officer("grace@example.org")


@pytest.fixture
def approval(monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"reset_needs_approval": True}))


def text_of(answer) -> str:
    return answer.content.decode()


def names(prefix: str) -> list[str]:
    return list(EventRecord.objects.filter(name__startswith=prefix).order_by("id").values_list("name", flat=True))


class TestGroups:
    def test_the_life_of_a_group(self, grace, person):
        user, staff = grace
        assert staff.get(f"{GROUPS}add/").status_code == 200
        values = {"name": "team/finance", "description": "Money", "min_acr": TWO_FACTORS, "trusted_browsers": "on"}
        assert staff.post(f"{GROUPS}add/", {**values, "name": "Team"}).status_code == 400
        made = staff.post(f"{GROUPS}add/", values)
        group = Group.objects.get()
        assert made["Location"] == f"{GROUPS}{group.pk}/"
        assert (group.name, group.min_acr, group.trusted_browsers) == ("team/finance", TWO_FACTORS, True)
        people = f"{GROUPS}{group.pk}/people/"
        for text in (person.email, str(person.pk), "nobody@example.org", "\x00", "x" * 300, ""):
            assert staff.post(people, {"person": text, "decision": "add"}).status_code == 302
        assert Membership.objects.get().user == person
        page = text_of(staff.get(f"{GROUPS}{group.pk}/"))
        assert person.email in page
        assert "1 person" in page
        assert "team/finance" in text_of(staff.get(f"{PEOPLE}{person.pk}/"))
        assert "team/finance" in text_of(staff.get(GROUPS))
        assert "team/finance" in text_of(staff.get(f"{GROUPS}csv"))
        staff.post(f"{GROUPS}{group.pk}/edit/", {"name": "finance", "min_acr": ""})
        group.refresh_from_db()
        assert (group.name, group.min_acr, group.trusted_browsers, group.description) == ("finance", "", False, "")
        assert staff.post(f"{GROUPS}{group.pk}/edit/", {"name": "finance", "min_acr": "gold"}).status_code == 400
        staff.post(people, {"person": str(person.pk), "decision": "remove"})
        assert Membership.objects.count() == 0
        assert "Delete finance" in text_of(staff.get(f"{GROUPS}{group.pk}/delete/"))
        staff.post(f"{GROUPS}{group.pk}/delete/")
        assert Group.objects.count() == 0
        record = EventRecord.objects.filter(name="group.updated").get()
        assert record.by == user.pk
        assert names("group.") == ["group.created", "group.member_added", "group.updated", "group.member_removed", "group.deleted"]

    def test_a_name_that_is_taken(self, grace):
        _user, staff = grace
        staff.post(f"{GROUPS}add/", {"name": "a"})
        assert "Another group has this name" in text_of(staff.post(f"{GROUPS}add/", {"name": "a"}))

    @pytest.mark.parametrize("address", [GROUPS, f"{GROUPS}add/", RESETS])
    def test_to_others_there_is_nothing(self, client, person, address):
        client.force_login(person)
        assert client.get(address).status_code == 404
        assert client.post(address, {"name": "a"}).status_code == 404


class TestResets:
    def test_a_reset_ends_everything_and_names_its_reason(self, grace, person):
        user, staff = grace
        app, browser = enrol(person), Browser()
        browser.post("/login", {"login": person.email, "password": PASSWORD})
        browser.post("/login/second-factor", {"code": app.code(), "trust": "1"})
        epoch = User.objects.get(pk=person.pk).credential_epoch
        page = f"{PEOPLE}{person.pk}/"
        assert "1 authenticator app" in text_of(staff.get(page))
        assert "1 sessions" in text_of(staff.get(f"{page}reset/"))
        for empty in ("", "  ", "\x00"):
            assert staff.post(f"{page}reset/", {"reason": empty}).status_code == 400
        assert TotpDevice.objects.count() == 1
        assert staff.post(f"{page}reset/", {"reason": "Phone stolen; seen at the desk"})["Location"] == page
        assert (TotpDevice.objects.count(), TrustedBrowser.objects.count()) == (0, 0)
        assert browser.get("/account").status_code == 302
        # Refresh families carry the former epoch, and end with it.
        assert User.objects.get(pk=person.pk).credential_epoch == epoch + 1
        row = ResetRequest.objects.get()
        assert (row.reason, row.asked_by, row.decided_by, row.state) == ("Phone stolen; seen at the desk", user, user, "done")
        record = EventRecord.objects.get(name="factor.all_reset")
        assert (record.by, record.data["request"], record.data["count"]) == (user.pk, row.pk, 1)
        assert "Phone stolen" not in str(EventRecord.objects.values_list("data", flat=True))
        assert "signed out everywhere" in mails(person.email)[-1].text
        assert "Phone stolen" in text_of(staff.get(f"{RESETS}{row.pk}/"))
        assert "done" in text_of(staff.get(RESETS))

    def test_nobody_resets_themselves_and_nothing_is_nothing(self, grace, person):
        user, staff = grace
        enrol(user)
        staff.force_login(user)
        staff.post(f"{PEOPLE}{user.pk}/reset/", {"reason": "Lazy"})
        staff.post(f"{PEOPLE}{person.pk}/reset/", {"reason": "Nothing there"})
        assert (ResetRequest.objects.count(), TotpDevice.objects.count()) == (0, 1)

    def test_a_second_member_of_staff_approves(self, approval, grace, person):
        enrol(person)
        user, staff = grace
        where = staff.post(f"{PEOPLE}{person.pk}/reset/", {"reason": "Lost phone"})["Location"]
        row = ResetRequest.objects.get()
        assert where == f"{RESETS}{row.pk}/"
        assert TotpDevice.objects.count() == 1
        staff.post(f"{PEOPLE}{person.pk}/reset/", {"reason": "Once more"})
        assert ResetRequest.objects.count() == 1
        assert 'id="approve"' not in text_of(staff.get(where))
        staff.post(f"{where}decide/", {"decision": "approve"})
        assert TotpDevice.objects.count() == 1, "not by who asked for it"
        second, other = officer("alan@example.org")
        assert 'id="approve"' in text_of(other.get(where))
        other.post(f"{where}decide/", {"decision": "approve"})
        row.refresh_from_db()
        assert (TotpDevice.objects.count(), row.state, row.asked_by, row.decided_by) == (0, "done", user, second)
        other.post(f"{where}decide/", {"decision": "decline"})
        row.refresh_from_db()
        assert row.state == "done"
        assert names("factor.reset") == ["factor.reset_asked"]
        assert EventRecord.objects.get(name="factor.all_reset").by == second.pk

    def test_or_calls_it_off(self, approval, grace, person):
        enrol(person)
        _user, staff = grace
        where = staff.post(f"{PEOPLE}{person.pk}/reset/", {"reason": "Lost phone"})["Location"]
        _second, other = officer("alan@example.org")
        for nothing in ({}, {"decision": "x"}):
            other.post(f"{where}decide/", nothing)
        other.post(f"{where}decide/", {"decision": "decline"})
        assert ResetRequest.objects.get().state == "declined"
        assert TotpDevice.objects.count() == 1
        assert names("factor.reset") == ["factor.reset_asked", "factor.reset_declined"]
        staff.post(f"{PEOPLE}{person.pk}/reset/", {"reason": "Again"})
        assert ResetRequest.objects.filter(state="waiting").count() == 1

    def test_the_person_concerned_does_not_approve(self, approval, grace):
        user, _staff = grace
        enrol(user)
        second, _other = officer("alan@example.org")
        waiting = reset.ask(user, reason="Lost", source="staff", by=second)
        for approver in (user, second):
            with pytest.raises(reset.NotPossible):
                reset.approve(waiting.pk, by=approver)
        assert TotpDevice.objects.count() == 1

    def test_what_a_person_asked_for_can_be_called_off_but_not_hurried(self, grace, person, monkeypatch):
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"lost_factor_hours": 24}))
        enrol(person)
        reset.begin_alone(person)
        where = f"{RESETS}{ResetRequest.objects.get().pk}/"
        _user, staff = grace
        assert 'id="approve"' not in text_of(staff.get(where))
        staff.post(f"{where}decide/", {"decision": "approve"})
        assert ResetRequest.objects.get().state == "waiting"
        staff.post(f"{where}decide/", {"decision": "decline"})
        assert ResetRequest.objects.get().state == "declined"


def test_an_apps_minimum_is_set_and_unset(grace):
    app, _secret = registry.create({"client_name": "Vault", "redirect_uris": ["https://vault.example/cb"]})
    _user, staff = grace
    address = f"/staff/oidc/client/{app.pk}/"
    page = staff.get(address)
    start = {name: value for name, value in page.context["adminform"].form.initial.items() if value not in (None, False)}
    start = {
        name: "\n".join(value) if isinstance(value, list) and name.endswith(("uris", "origins", "resources")) else value
        for name, value in start.items()
    }
    staff.post(address, {**start, "min_acr": TWO_FACTORS, "enrolment": "block", "allow_trusted_browser": "on"})
    app.refresh_from_db()
    shown = registry.describe(app)
    assert (shown["min_acr"], shown["enrolment"], shown["allow_trusted_browser"]) == (TWO_FACTORS, "block", True)
    again = {**start, "seen": staff.get(address).context["adminform"].form.initial["seen"], "min_acr": "", "enrolment": ""}
    staff.post(address, again)
    app.refresh_from_db()
    assert not {"min_acr", "enrolment", "allow_trusted_browser"} & set(registry.describe(app))


def test_and_by_command(capsys):
    import json

    from django.core.management import call_command

    def run(*arguments):
        call_command("client", *arguments, "--json")
        return json.loads(capsys.readouterr().out)

    app = run("create", "Vault", "--redirect-uri", "https://v.example/cb", "--min-acr", TWO_FACTORS, "--enrolment", "block")
    assert (app["min_acr"], app["enrolment"]) == (TWO_FACTORS, "block")
    changed = run("update", app["client_id"], "--min-acr", "", "--allow-trusted-browser")
    assert ("min_acr" in changed, changed["allow_trusted_browser"], changed["enrolment"]) == (False, True, "block")
    assert run("update", app["client_id"], "--no-allow-trusted-browser")["allow_trusted_browser"] is False
