"""Sign-up by phone, by invitation, with terms; and accounts that nobody verified."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from idp.accounts import invitations, people
from idp.accounts.models import AddressProof, Invitation, User
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.messages import messages

pytestmark = pytest.mark.django_db
NUMBER = "+4915123456789"


@pytest.fixture
def configured(settings):
    def change(**values):
        settings.IDP = settings.IDP.model_copy(update=values)

    return change


def sign_up(client, **form):
    return client.post("/signup", {"password": PASSWORD, **form})


class TestByPhone:
    @pytest.fixture(autouse=True)
    def either(self, configured):
        configured(signup_with="either")

    def test_a_new_person_from_number_to_account(self, client):
        page = client.get("/signup").content.decode()
        assert 'autocomplete="email"' in page
        assert "Use a mobile number instead" in page
        page = client.get("/signup?with=phone").content.decode()
        assert 'autocomplete="tel"' in page
        assert 'type="tel"' in page
        assert "Use an email address instead" in page
        response = sign_up(client, phone="+49 (151) 234567-89", **{"with": "phone"})
        assert response["Location"] == "/signup/verify"
        [message] = messages()
        assert message.to == NUMBER
        assert "+49 1512 3456789" in client.get("/signup/verify").content.decode()
        assert client.post("/signup/verify", {"code": message.code})["Location"] == "/account"
        person = User.objects.get()
        assert (person.phone, person.phone_verified, person.email) == (NUMBER, True, None)
        assert client.get("/account/password").status_code == 200
        assert client.get("/account").status_code == 200
        names = list(EventRecord.objects.order_by("id").values_list("name", flat=True))
        assert names == ["account.created", "account.phone_verified", "account.verified", "sign_in.succeeded"]

    def test_a_number_that_is_taken_looks_alike_and_its_owner_is_told(self, client):
        """PW-02, for phones."""
        people.create(phone=NUMBER, password=PASSWORD, method="command", verified=True)
        taken, free = Client(), Client()
        for browser, number in ((taken, NUMBER), (free, "+4915123456780")):
            assert sign_up(browser, phone=number, **{"with": "phone"})["Location"] == "/signup/verify"
            assert browser.post("/signup/verify", {"code": "000000"}).status_code == 400
        assert "already an account" in messages(NUMBER)[0].text
        assert User.objects.count() == 1

    def test_only_phones(self, client, configured):
        configured(signup_with="phone")
        assert "id_phone" in client.get("/signup").content.decode()
        assert sign_up(client, email="new@example.org").status_code == 400

    def test_what_is_no_number(self, client):
        for number in ("", "0151 234", "+49 30 1234567", "x" * 5000, "+4915123456789\x00"):
            assert sign_up(client, phone=number, **{"with": "phone"}).status_code == 400
        assert not AddressProof.objects.exists()

    def test_a_forgotten_password_by_phone(self, client, django_capture_on_commit_callbacks):
        people.create(phone=NUMBER, password=PASSWORD, method="command", verified=True)
        assert client.post("/password/forgot", {"email": NUMBER})["Location"] == "/password/forgot/sent"
        [message] = messages()
        response = client.post("/password/forgot/sent", {"code": message.code})
        assert response["Location"] == "/password/reset"
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post("/password/reset", {"password": "an entirely new pass phrase"})
        assert response["Location"].startswith("/login")
        person = User.objects.get()
        assert person.check_password("an entirely new pass phrase")
        assert not person.email_verified
        assert "at Kairos ID was changed. http" in messages(NUMBER)[-1].text  # news go to every verified address

    def test_a_number_of_nobody_gets_nothing_and_looks_alike(self, client):
        """PW-03, for phones: nobody pays for messages to strangers."""
        client.post("/password/forgot", {"email": "+4915123456780"})
        assert not messages()
        assert "If an account has the number" in client.get("/password/forgot/sent").content.decode()


class TestByInvitation:
    @pytest.fixture(autouse=True)
    def invited_only(self, configured):
        configured(signup="invitation")

    def create(self, capsys, *arguments):
        call_command("invitation", "create", *arguments, "--json")
        return json.loads(capsys.readouterr().out)

    def test_nobody_without_one(self, client):
        assert client.get("/signup").status_code == 403
        assert sign_up(client, email="new@example.org").status_code == 403
        assert "Create an account" not in client.get("/login").content.decode()
        for token in ("", "x", "x" * 5000, "\x00"):
            assert client.get("/signup", {"invitation": token}).status_code == 403

    def test_a_link_works_once_and_leaves_the_address_bar(self, client, capsys):
        link = self.create(capsys)["link"]
        response = client.get(link)
        assert response["Location"] == "/signup"  # EM-16
        assert sign_up(client, email="new@example.org")["Location"] == "/signup/verify"
        assert client.post("/signup/verify", {"code": mails()[0].code}).status_code == 302
        assert User.objects.count() == 1
        assert Client().get(link).status_code == 403

    def test_of_two_who_hold_one_link_one_gets_in(self, capsys):
        link = self.create(capsys)["link"]
        first, second = Client(), Client()
        for browser, email in ((first, "one@example.org"), (second, "two@example.org")):
            browser.get(link)
            sign_up(browser, email=email)
        assert first.post("/signup/verify", {"code": mails("one@example.org")[0].code})["Location"] == "/account"
        assert second.post("/signup/verify", {"code": mails("two@example.org")[0].code})["Location"] == "/login?done=registered"
        assert User.objects.count() == 1

    def test_one_for_an_address(self, client, capsys):
        link = self.create(capsys, "--for", "New@Example.org", "--days", "2")["link"]
        client.get(link)
        assert 'value="new@example.org"' in client.get("/signup").content.decode()
        assert "another address" in sign_up(client, email="other@example.org").content.decode()
        assert sign_up(client, email="new@example.org").status_code == 302

    def test_listed_revoked_and_over(self, client, capsys):
        made = self.create(capsys)
        call_command("invitation", "list", "--json")
        assert [one["id"] for one in json.loads(capsys.readouterr().out)["invitations"]] == [made["id"]]
        call_command("invitation", "revoke", made["id"])
        capsys.readouterr()
        for again in (made["id"], "nonsense"):
            with pytest.raises(CommandError):
                call_command("invitation", "revoke", again)
        assert client.get(made["link"]).status_code == 403
        link = self.create(capsys)["link"]
        with time_machine.travel(timezone.now() + timedelta(days=8)):
            assert client.get(link).status_code == 403
        with time_machine.travel(timezone.now() + timedelta(days=60)):
            assert invitations.delete_expired() == 1
        assert not Invitation.objects.exists()

    @pytest.mark.parametrize("arguments", [("--for", "nonsense"), ("--days", "0"), ("--days", "x"), ("--days", "99999")])
    def test_refusals_say_why(self, arguments):
        with pytest.raises(CommandError):
            call_command("invitation", "create", *arguments)


class TestTerms:
    @pytest.fixture(autouse=True)
    def versioned(self, configured):
        configured(terms_version="2026-11", terms_url="https://example.org/terms")

    def test_a_sign_up_accepts_them_and_remembers_which(self, client):
        page = client.get("/signup").content.decode()
        assert 'name="terms"' in page
        assert "https://example.org/terms" in page
        refused = sign_up(client, email="new@example.org")
        assert refused.status_code == 400
        assert "Accept the terms" in refused.content.decode()
        sign_up(client, email="new@example.org", terms="1")
        assert client.post("/signup/verify", {"code": mails()[0].code})["Location"] == "/account"
        person = User.objects.get()
        assert (person.terms_version, person.terms_accepted_at is not None) == ("2026-11", True)
        assert EventRecord.objects.get(name="account.terms_accepted").data == {"version": "2026-11"}

    def test_after_they_changed_they_are_asked_at_the_next_sign_in(self, client, person):
        response = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, "next": "/account/apps"})
        assert response["Location"] == "/login/terms"
        assert client.get("/account/password").status_code == 302  # not signed in yet
        path = client.get("/login/terms")["Location"]
        page = client.get(path).content.decode()
        assert "2026-11" in page
        assert "<h1>Terms of use</h1>" in page
        User.objects.update(terms_version="2025-01")
        assert "Our terms have changed" in client.get(path).content.decode()
        response = client.post("/login/terms", {"accept": "1", "next": "/account/apps"})
        assert response["Location"] == "/account/apps"
        assert client.get("/account/password").status_code == 200
        client.logout()
        assert client.post("/login", {"login": "ada@example.org", "password": PASSWORD})["Location"] == "/account"

    def test_who_does_not_accept_is_not_signed_in(self, client, person):
        client.post("/login", {"login": "ada@example.org", "password": PASSWORD})
        assert client.post("/login/terms", {"leave": "1"})["Location"].startswith("/login")
        assert client.get("/login/terms")["Location"] == "/login"
        assert client.get("/account/password").status_code == 302

    def test_nobody_reaches_the_page_without_a_sign_in(self, client):
        assert client.post("/login/terms", {"accept": "1"})["Location"] == "/login"


class TestNeverVerified:
    def somebody(self, email="ada@example.org", **more):
        return people.create(email=email, password="the squatter's own phrase", method="somebody", **more)

    def test_it_expires_with_its_bound(self):
        """Only what people made themselves: what an operator made stays."""
        self.somebody()
        people.create(email="operator@example.org", method="command")
        people.create(email="verified@example.org", method="somebody", verified=True)
        assert people.delete_never_verified() == 0
        with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
            assert people.delete_never_verified() == 1
        assert set(User.objects.values_list("email", flat=True)) == {"operator@example.org", "verified@example.org"}
        assert EventRecord.objects.get(name="account.expired").data == {"reason": "age"}

    def test_verified_in_time_it_stays(self):
        people.mark_verified(self.somebody())
        with time_machine.travel(timezone.now() + timedelta(days=30)):
            assert people.delete_never_verified() == 0

    def test_who_proves_the_address_elsewhere_finds_it_free(self):
        """PW-18, pre-hijacking: nothing of whoever made the account stays."""
        squatter = self.somebody()
        assert people.supersede_unverified("ada@example.org") is None
        assert not User.objects.filter(pk=squatter.pk).exists()

    def test_one_that_the_operator_made_is_handed_over_without_its_password(self):
        made = people.create(email="ada@example.org", password=PASSWORD, method="import")
        AddressProof(address="ada@example.org", user=made, purpose="sign_in", code=b"x", expires_at=timezone.now()).save()
        person = people.supersede_unverified("ada@example.org")
        assert person.pk == made.pk
        assert person.email_verified
        assert not person.has_usable_password()
        assert person.credential_epoch == 1
        assert not AddressProof.objects.exists()

    def test_a_verified_account_is_nobodys_to_take(self):
        make_person(email="ada@example.org")
        assert people.supersede_unverified("ada@example.org") is None
        assert people.supersede_unverified("nobody@example.org") is None
        assert User.objects.get().email_verified
