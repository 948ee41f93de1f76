"""What deployment, groups and apps ask: enrolment in the middle of a sign-in, grace, trusted browsers, phones, mail codes, lost factors."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from idp.access import groups
from idp.accounts import people
from idp.accounts.models import User
from idp.events.models import Delivery, EventRecord
from idp.events.outbox import purpose
from idp.kernel import sealing
from idp.mfa import factors
from idp.mfa.models import EnrolmentGrace, Phone, ResetRequest, TotpDevice, TrustedBrowser, WebAuthnKey
from idp.sessions.assurance import HARDWARE, ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS
from idp.sessions.models import BrowserSession
from tests.support.authenticator import App, enrol
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.messages import messages as texts
from tests.support.security_key import UP, UV, SecurityKey, add_key

pytestmark = pytest.mark.django_db
PAGE, ENROL, LOST = "/login/second-factor", "/login/enrol", "/login/lost-factor"
NUMBER = "+4915123456789"


@pytest.fixture
def policy(monkeypatch):
    """Change settings for one test."""

    def change(**values):
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))

    return change


def password(client, email="ada@example.org", **more):
    return client.post("/login", {"login": email, "password": PASSWORD, **more})


def is_signed_in(client) -> bool:
    return client.get("/account").status_code == 200


def use(client, held: SecurityKey, path: str):
    """Answer what `path` asks of passkeys with this one."""
    asked = client.post(f"{path}/options").json()
    held.counter += 1
    return client.post(path, {"state": asked["state"], "answer": json.dumps(held.get(asked["options"]))})


def shown_app(page) -> App:
    return App(re.search(r'id="manual-key">([A-Z2-7 ]+)<', page.content.decode())[1])


def session() -> BrowserSession:
    return BrowserSession.objects.exclude(sid="").get()


def messages() -> list[str]:
    """The codes of text messages that wait, oldest first."""
    rows = Delivery.objects.filter(receiver="sms", state="waiting").order_by("id")
    texts = [json.loads(sealing.unseal(row.payload, purpose=purpose(row.pk))) for row in rows]
    assert all(text["to"] == NUMBER for text in texts)
    return [re.search(r"\d{6}", text["text"])[0] for text in texts]


class TestEnrolment:
    def test_the_deployment_wants_two_factors(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        assert password(client, next="/account/apps")["Location"] == ENROL
        assert not is_signed_in(client)
        page = client.get(client.get(ENROL)["Location"])
        assert "Not now" not in page.content.decode()
        app = shown_app(page)
        kept = {"next": "/account/apps"}
        assert client.post(ENROL, {"code": app.wrong(), **kept}).status_code == 400
        assert client.post(ENROL, {"decision": "later", **kept}).status_code == 200
        assert client.post(ENROL, {"decision": "continue", **kept}).status_code == 200
        assert not is_signed_in(client)
        done = client.post(ENROL, {"code": app.code(), **kept})
        assert len(re.findall(r"<li>[0-9A-Z]{5}-[0-9A-Z]{5}</li>", done.content.decode())) == 10
        assert not is_signed_in(client)
        assert client.post(ENROL, {"decision": "continue", **kept})["Location"] == "/account/apps"
        assert (session().acr, session().amr) == (TWO_FACTORS, ["pwd", "otp", "mfa"])

    def test_not_now_as_long_as_there_is_time(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=2)
        start = time.time()
        with time_machine.travel(start, tick=False) as clock:
            password(client)
            assert "2 more days" in client.get(ENROL).content.decode()
            assert client.post(ENROL, {"decision": "later"})["Location"] == "/account"
            assert session().acr == ONE_FACTOR
            assert EventRecord.objects.get(name="factor.enrolment_postponed").data == {"days": 2}
            clock.shift(timedelta(hours=25))
            other = Client()
            password(other)
            assert "1 more day" in other.get(ENROL).content.decode()
            clock.shift(timedelta(hours=24))
            other = Client()
            assert password(other)["Location"] == ENROL
            assert "Not now" not in other.get(ENROL).content.decode()
            assert other.post(ENROL, {"decision": "later"}).status_code == 200
            assert not is_signed_in(other)

    def test_a_group_wants_it_of_its_members_only(self, policy, client, person):
        policy(enrolment_grace_days=0)
        vault = groups.create(name="vault", min_acr=TWO_FACTORS)
        assert password(client)["Location"] == "/account"
        groups.add(vault, person)
        assert password(Client())["Location"] == ENROL
        make_person(email="eve@example.org")
        assert password(Client(), "eve@example.org")["Location"] == "/account"

    def test_who_has_one_is_not_asked_to_set_one_up(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        app = enrol(person)
        assert password(client)["Location"] == PAGE
        assert client.post(PAGE, {"code": app.code()})["Location"] == "/account"
        assert not EnrolmentGrace.objects.exists()

    @pytest.mark.clause("MF-05")
    def test_the_page_is_closed_to_everybody_else(self, client, person):
        assert client.get(ENROL)["Location"] == "/login"
        assert client.post(ENROL, {"code": "123456"})["Location"] == "/login"
        password(client)
        assert client.get(ENROL)["Location"] == "/account"
        assert TotpDevice.objects.count() == 0

    @pytest.mark.clause("MF-05")
    def test_a_factor_that_was_set_up_elsewhere_meanwhile_does_not_let_this_browser_in(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        password(client)
        client.get(ENROL)
        enrol(person)
        assert client.post(ENROL, {"decision": "continue"})["Location"] == "/login"
        assert not is_signed_in(client)

    @pytest.mark.clause("MF-05", "MF-07")
    def test_nor_does_this_browser_add_another_one_then(self, policy, client, person):
        """Whoever had only the password when the owner set something up must not join it with an app of their own."""
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        password(client)
        app = shown_app(client.get(ENROL))
        enrol(person)
        assert client.post(ENROL, {"code": app.code()})["Location"] == "/login"
        assert TotpDevice.objects.count() == 1
        assert not is_signed_in(client)
        assert client.get(ENROL)["Location"] == "/login"

    @pytest.mark.clause("BR-09")
    def test_another_person_in_the_same_browser_starts_afresh(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        make_person(email="eve@example.org")
        password(client)
        first = shown_app(client.get(ENROL))
        password(client, "eve@example.org")
        second = shown_app(client.get(ENROL))
        assert first.key != second.key
        assert client.post(ENROL, {"code": first.code()}).status_code == 400
        client.post(ENROL, {"code": second.code()})
        assert TotpDevice.objects.get().user.email == "eve@example.org"

    @pytest.mark.clause("MF-15")
    def test_guessing_is_throttled(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        password(client)
        client.get(ENROL)
        answers = [client.post(ENROL, {"code": f"{n:06d}"}).status_code for n in range(12)]
        assert answers[9:] == [400, 429, 429]


class TestPasskeyEnrolment:
    """Where codes are not enough, a passkey or a security key is set up on the way."""

    def create(self, client, held, **fields):
        asked = client.post(f"{ENROL}/passkey/options", fields).json()
        return client.post(f"{ENROL}/passkey", {"state": asked["state"], "answer": json.dumps(held.create(asked["options"])), **fields})

    def test_set_up_in_the_sign_in(self, policy, client, person):
        policy(min_acr=PHISHING_RESISTANT, enrolment_grace_days=0)
        assert password(client)["Location"] == ENROL
        page = client.get(ENROL).content.decode()
        assert "manual-key" not in page
        assert client.post(ENROL, {"code": "123456"}).status_code == 200
        assert client.post(ENROL, {"decision": "continue"}).status_code == 200
        done = self.create(client, SecurityKey())
        assert "<li>" in done.content.decode()
        assert not is_signed_in(client)
        assert client.post(ENROL, {"decision": "continue"})["Location"] == "/account"
        assert session().acr == PHISHING_RESISTANT

    def test_who_has_an_app_adds_a_passkey_and_keeps_the_codes(self, policy, client, person):
        app = enrol(person)
        factors.make_codes(person, request=type("Request", (), {"session": None})())
        policy(min_acr=PHISHING_RESISTANT, enrolment_grace_days=0)
        assert password(client)["Location"] == PAGE
        assert client.post(PAGE, {"code": app.code()})["Location"] == ENROL
        assert self.create(client, SecurityKey())["Location"] == "/account"
        assert factors.codes_left(person) == 10
        assert session().acr == PHISHING_RESISTANT

    def test_who_has_a_passkey_and_typed_a_code_is_asked_for_the_passkey(self, policy, client, person):
        app = enrol(person)
        add_key(person)
        policy(min_acr=PHISHING_RESISTANT)
        password(client)
        again = client.post(PAGE, {"code": app.code()})["Location"]
        assert again == f"{PAGE}?done=more"
        assert "stronger second step" in client.get(again).content.decode()
        assert not is_signed_in(client)

    def test_a_passkey_that_is_weaker_than_policy_asks_leads_to_the_stronger_one(self, policy, client, person):
        """`min_acr` is of every sign-in, also of one that begins with a passkey: whoever holds the hardware that it wants uses it."""
        weak, _ = add_key(person, name="Synced")
        strong, key = add_key(person, name="Hardware", flags=UP | UV)
        WebAuthnKey.objects.filter(pk=key.pk).update(attested=True)
        policy(min_acr=HARDWARE)
        assert use(client, weak, "/login/passkey")["Location"] == PAGE
        page = client.get(PAGE).content.decode()
        assert "Your password was right" not in page
        assert "One more step" in page
        assert not is_signed_in(client)
        assert use(client, weak, f"{PAGE}/passkey")["Location"] == f"{PAGE}?done=more"
        assert not is_signed_in(client)
        assert use(client, strong, f"{PAGE}/passkey")["Location"] == "/account"
        assert session().acr == HARDWARE

    def test_a_passkey_instead_of_an_app(self, policy, client, person):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        password(client, next="/account/apps")
        done = self.create(client, SecurityKey(), next="/account/apps")
        assert 'name="next" value="/account/apps"' in done.content.decode()
        assert client.post(ENROL, {"decision": "continue", "next": "/account/apps"})["Location"] == "/account/apps"
        assert session().acr == PHISHING_RESISTANT

    @pytest.mark.clause("MF-05")
    def test_closed_to_everybody_else(self, policy, client, person):
        assert client.post(f"{ENROL}/passkey/options").status_code in (400, 403)
        assert client.post(f"{ENROL}/passkey", {"state": "x", "answer": "{}"})["Location"] == ENROL
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0)
        password(client)
        for answer in ("", "{}", "x", "[" * 2000, "\x00"):
            assert client.post(f"{ENROL}/passkey", {"state": "x", "answer": answer}).status_code == 400
        assert not is_signed_in(client)


class TestWhoSignsInWithCodes:
    """A code by mail or text is no second kind beside what one holds: nobody is led in a circle by what cannot work."""

    @pytest.fixture(autouse=True)
    def _on(self, policy):
        policy(sign_in_methods=("password", "email_code"))

    def sign_in(self, client, person):
        client.post("/login", {"login": person.email, "way": "code"})
        return client.post("/login/code", {"code": mails(person.email)[-1].code})

    @pytest.mark.clause("MF-16")
    def test_an_app_beside_mailed_codes_is_one_factor(self, client, person):
        User.objects.update(password="!")
        assert self.sign_in(client, person)["Location"] == "/account"
        page = client.get("/account/security/authenticator")
        assert page.status_code == 200, "the first factor may be added"
        client.post("/account/security/authenticator", {"code": shown_app(page).code(), "name": "Phone"})
        assert (session().acr, session().amr) == (ONE_FACTOR, ["otp"])
        assert factors.reach(User.objects.get()) == ONE_FACTOR

    def test_where_two_are_wanted_only_a_passkey_is_offered(self, client, person, policy):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0, sign_in_methods=("password", "email_code"))
        User.objects.update(password="!")
        assert self.sign_in(client, person)["Location"] == ENROL
        page = client.get(ENROL).content.decode()
        assert "manual-key" not in page
        assert "passkey-create" in page
        TestPasskeyEnrolment().create(client, SecurityKey())
        assert client.post(ENROL, {"decision": "continue"})["Location"] == "/account"
        assert session().acr == PHISHING_RESISTANT

    def test_who_has_an_app_and_no_password_proves_it_and_adds_a_passkey(self, client, person, policy):
        policy(min_acr=TWO_FACTORS, enrolment_grace_days=0, sign_in_methods=("password", "email_code"))
        User.objects.update(password="!")
        app = enrol(person)
        assert self.sign_in(client, person)["Location"] == PAGE
        assert client.post(PAGE, {"code": app.code()})["Location"] == ENROL
        assert "passkey-create" in client.get(ENROL).content.decode()
        assert TestPasskeyEnrolment().create(client, SecurityKey()).status_code == 200
        assert client.post(ENROL, {"decision": "continue"})["Location"] == "/account"
        assert session().acr == PHISHING_RESISTANT

    def test_who_has_a_password_is_told_to_use_it(self, client, person, policy):
        policy(min_acr=TWO_FACTORS, sign_in_methods=("password", "email_code"))
        app = enrol(person)
        assert self.sign_in(client, person)["Location"] == PAGE
        again = client.post(PAGE, {"code": app.code()})["Location"]
        assert "start again with your password" in client.get(again).content.decode()
        assert not is_signed_in(client)


class TestTrustedBrowsers:
    def sign_in(self, client, app, **more):
        password(client)
        return client.post(PAGE, {"code": app.code(), **more})

    def test_it_spares_the_step_and_proves_nothing(self, client, person):
        app = enrol(person)
        answer = self.sign_in(client, app, trust="1")
        cookie = answer.cookies["kairos_trusted"]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 30 * 86400)
        assert session().acr == TWO_FACTORS
        client.post("/logout", {"decision": "sign-out"})
        BrowserSession.objects.all().delete()
        assert password(client)["Location"] == "/account"
        assert (session().acr, session().amr) == (ONE_FACTOR, ["pwd"])
        assert password(Client())["Location"] == PAGE, "another browser is asked"
        eve = make_person(email="eve@example.org")
        enrol(eve)
        assert password(client, eve.email)["Location"] == PAGE, "another person in this browser is asked"
        assert TrustedBrowser.objects.get().user == person
        assert bytes(TrustedBrowser.objects.get().digest) != cookie.value.encode()

    def test_a_value_that_was_in_this_browser_before_is_worth_nothing(self, client, person):
        """Whoever used the browser earlier, or planted a cookie there, must not know what the next person is trusted by."""
        planted = "x" * 43
        client.cookies["kairos_trusted"] = planted
        app = enrol(person)
        answer = self.sign_in(client, app, trust="1")
        assert answer.cookies["kairos_trusted"].value != planted
        elsewhere = Client()
        elsewhere.cookies["kairos_trusted"] = planted
        assert password(elsewhere)["Location"] == PAGE
        # Trusted anew, it gets another value, and the former one ends.
        former = answer.cookies["kairos_trusted"].value
        TrustedBrowser.objects.update(epoch=7)
        with time_machine.travel(time.time() + 60):
            assert self.sign_in(client, app, trust="1").cookies["kairos_trusted"].value != former
        assert TrustedBrowser.objects.count() == 1

    def test_who_is_signed_in_and_must_prove_more_is_asked_all_the_same(self, client, person):
        app = enrol(person)
        self.sign_in(client, app, trust="1")
        assert password(client, next="/account/security/recovery-codes")["Location"] == PAGE

    def test_it_is_listed_and_ends_one_by_one_and_all_at_once(self, client, person):
        app = enrol(person)
        with time_machine.travel(time.time(), tick=False) as clock:
            self.sign_in(client, app, trust="1")
            clock.shift(60)
            other = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux) Firefox/140.0")
            self.sign_in(other, app, trust="1")
            assert "Firefox on Linux" in client.get("/account/security").content.decode()
            mine, theirs = TrustedBrowser.objects.order_by("pk")
            assert client.post("/account/security/browsers", {"number": str(theirs.pk)})["Location"] == "/account/security"
            assert TrustedBrowser.objects.get() == mine
            BrowserSession.objects.all().delete()
            assert password(other)["Location"] == PAGE
            assert password(client)["Location"] == "/account"
            client.post("/account/security/browsers", {"decision": "all"})
            assert TrustedBrowser.objects.count() == 0
            assert EventRecord.objects.filter(name="browser.trust_ended").count() == 2

    @pytest.mark.parametrize("number", ["", "x", "-1", "\u0661", "9" * 40, "\x00"])
    def test_an_odd_number_ends_nothing(self, client, person, number):
        self.sign_in(client, enrol(person), trust="1")
        assert client.post("/account/security/browsers", {"number": number}).status_code == 302
        assert TrustedBrowser.objects.count() == 1

    def test_nobody_ends_the_trust_of_others(self, client, person):
        self.sign_in(client, enrol(person), trust="1")
        make_person(email="eve@example.org")
        eve = Client()
        password(eve, "eve@example.org")
        eve.post("/account/security/browsers", {"number": str(TrustedBrowser.objects.get().pk)})
        eve.post("/account/security/browsers", {"decision": "all"})
        assert TrustedBrowser.objects.count() == 1

    @pytest.mark.parametrize("how", ["password", "everywhere", "factor", "time", "policy", "shorter"])
    def test_what_ends_it(self, client, person, policy, how):
        app = enrol(person)
        enrol(person, name="Tablet")
        with time_machine.travel(time.time(), tick=False) as clock:
            self.sign_in(client, app, trust="1")
            text = PASSWORD
            if how == "password":
                text = "entirely different words here"
                people.set_password(User.objects.get(), text)
            elif how == "everywhere":
                people.sign_out_everywhere(User.objects.get())
            elif how == "factor":
                client.post(f"/account/security/authenticator/{TotpDevice.objects.last().pk}", {"decision": "remove"})
            elif how == "time":
                clock.shift(timedelta(days=31))
            elif how == "policy":
                policy(trusted_browser_days=0)
            else:
                policy(trusted_browser_days=3)
                clock.shift(timedelta(days=4))
            BrowserSession.objects.all().delete()
            assert client.post("/login", {"login": person.email, "password": text})["Location"] == PAGE

    def test_a_group_may_forbid_it(self, client, person):
        app = enrol(person)
        self.sign_in(client, app, trust="1")
        vault = groups.create(name="vault", min_acr=TWO_FACTORS, trusted_browsers=False)
        groups.add(vault, person)
        BrowserSession.objects.all().delete()
        assert password(client)["Location"] == PAGE
        assert 'name="trust"' not in client.get(PAGE).content.decode()

    def test_a_recovery_code_trusts_nothing(self, client, person):
        enrol(person)
        code = factors.make_codes(person, request=type("Request", (), {"session": None})())[0]
        password(client)
        client.post(PAGE, {"code": code, "trust": "1"})
        assert is_signed_in(client)
        assert TrustedBrowser.objects.count() == 0

    def test_most_per_person_and_the_cleaner(self, client, person):
        from idp.mfa import trust

        app = enrol(person)
        with time_machine.travel(time.time(), tick=False) as clock:
            for _ in range(trust.MOST + 2):
                self.sign_in(Client(), app, trust="1")
                clock.shift(60)
            assert TrustedBrowser.objects.count() == trust.MOST
            assert trust.delete_expired() == 0
            clock.shift(timedelta(days=31))
            assert trust.delete_expired() == trust.MOST


class TestPhones:
    @pytest.fixture(autouse=True)
    def _on(self, policy):
        policy(sms_codes=True)

    def add(self, client):
        password(client)
        assert client.post("/account/security/phone", {"number": "+49 151 23456789"})["Location"].endswith("/confirm")
        return client.post("/account/security/phone/confirm", {"code": messages()[-1]})

    def test_added_and_used(self, client, person):
        done = self.add(client)
        assert "<ul" in done.content.decode()
        assert (session().acr, session().amr) == (TWO_FACTORS, ["pwd", "sms", "mfa"])
        other = Client()
        assert password(other)["Location"] == PAGE
        page = other.get(PAGE).content.decode()
        assert "Send a code to +49 … 89" in page
        assert NUMBER not in page
        assert other.post(PAGE, {"code": messages()[-1]}).status_code == 400, "the code of the enrolment is spent"
        with time_machine.travel(time.time() + 31):
            assert other.post(PAGE, {"send": str(Phone.objects.get().pk)})["Location"] == f"{PAGE}?done=sent"
            assert other.post(PAGE, {"code": messages()[-1]})["Location"] == "/account"
            assert other.post("/account/security/phone", {"number": "+49 151 23456789"}).status_code == 400

    @pytest.mark.clause("MF-08")
    def test_nothing_that_a_form_says_changes_where_it_goes(self, client, person):
        password(client)
        client.post("/account/security/phone", {"number": "+49 151 23456789"})
        client.post("/account/security/phone/confirm", {"send": "1", "number": "+4915199999999", "to": "+4915199999999"})
        assert len(messages()) == 1  # which also asserts that all went to NUMBER; the second came too soon
        eve = make_person(email="eve@example.org")
        theirs = Phone(user=eve, name="", number="+4915111111111")
        theirs.save()
        client.post("/account/security/phone/confirm", {"code": messages()[-1], "number": "+4915199999999"})
        assert Phone.objects.get(user=person).number == NUMBER
        other = Client()
        password(other)
        assert other.post(PAGE, {"send": str(theirs.pk)})["Location"] == f"{PAGE}?done=too_many"
        assert len(messages()) == 1

    @pytest.mark.clause("MF-02", "MF-15")
    def test_guesses_lock_it_and_a_new_code_brings_no_new_guesses(self, client, person):
        with time_machine.travel(time.time(), tick=False) as clock:
            password(client)
            client.post("/account/security/phone", {"number": "+49 151 23456789"})
            right = messages()[-1]
            wrong = "000000" if right != "000000" else "000001"
            for _ in range(5):
                client.post("/account/security/phone/confirm", {"code": wrong})
                clock.shift(9)
            assert client.post("/account/security/phone/confirm", {"code": right}).status_code == 429
            clock.shift(60)
            client.post("/account/security/phone/confirm", {"send": "1"})
            assert len(messages()) == 1
            assert not Phone.objects.get().confirmed

    @pytest.mark.clause("MF-15")
    def test_naming_the_number_again_brings_no_new_guesses_and_no_second_message(self, client, person):
        with time_machine.travel(time.time(), tick=False) as clock:
            password(client)
            statuses = []
            for _ in range(6):
                client.post("/account/security/phone", {"number": "+49 151 23456789"})
                right = messages()[-1]
                for wrong in (code for code in ("000000", "000001", "000002") if code != right):
                    statuses.append(client.post("/account/security/phone/confirm", {"code": wrong}).status_code)
                    clock.shift(3)
            assert statuses[:2] == [400, 400]
            assert statuses[-1] == 429
            assert statuses.count(400) <= 10
            assert len(messages()) <= 3, "one in half a minute"

    def test_a_code_gets_old_and_a_new_one_ends_it(self, client, person):
        with time_machine.travel(time.time(), tick=False) as clock:
            password(client)
            client.post("/account/security/phone", {"number": "+49 151 23456789"})
            clock.shift(40)
            client.post("/account/security/phone/confirm", {"send": "1"})
            first, second = messages()
            if first != second:
                assert client.post("/account/security/phone/confirm", {"code": first}).status_code == 400
            clock.shift(timedelta(minutes=11))
            password(client)
            assert client.post("/account/security/phone/confirm", {"code": second}).status_code == 400

    def test_removed(self, client, person):
        self.add(client)
        number = Phone.objects.get().pk
        assert "only second step" in client.get(f"/account/security/phone/{number}").content.decode()
        client.post(f"/account/security/phone/{number}", {"decision": "remove"})
        assert Phone.objects.count() == 0
        assert session().acr == ONE_FACTOR
        assert password(Client())["Location"] == "/account"

    @pytest.mark.parametrize("number", ["", "x", "+49 30 123456", "0" * 41, "\u0661\u0662", "\x00"])
    def test_what_is_no_number(self, client, person, number):
        password(client)
        assert client.post("/account/security/phone", {"number": number}).status_code == 400
        assert not messages()

    def test_where_it_is_not_allowed_there_is_nothing(self, client, person, policy):
        self.add(client)
        policy(sms_codes=False)
        for page in ("/account/security/phone", "/account/security/phone/confirm", f"/account/security/phone/{Phone.objects.get().pk}"):
            assert client.get(page).status_code == 404
        assert "Text messages" not in client.get("/account/security").content.decode()
        assert password(Client())["Location"] == "/account"


class TestMailCode:
    @pytest.mark.clause("MF-16")
    def test_a_new_browser_is_confirmed_by_mail_and_the_level_stays(self, policy, client, person):
        policy(confirm_new_browser=True)
        assert password(client, next="/account/apps")["Location"] == PAGE
        assert not is_signed_in(client)
        page = client.get(f"{PAGE}?next=/account/apps").content.decode()
        assert "a…@example.org" in page
        assert person.email not in page
        kept = {"next": "/account/apps"}
        assert client.post(PAGE, {"send": "mail", **kept})["Location"] == f"{PAGE}?next=%2Faccount%2Fapps&done=sent"
        code = mails(person.email)[-1].code
        assert client.post(PAGE, {"code": "000000" if code != "000000" else "000001", **kept}).status_code == 400
        with time_machine.travel(time.time() + 2):
            assert client.post(PAGE, {"code": code, **kept})["Location"] == "/account/apps"
        assert (session().acr, session().amr) == (ONE_FACTOR, ["pwd", "otp"])
        client.post("/logout", {"decision": "sign-out"})
        BrowserSession.objects.all().delete()
        assert password(client)["Location"] == "/account", "now it is known"

    @pytest.mark.clause("MF-16")
    def test_it_is_never_a_second_factor(self, policy, client, person):
        policy(confirm_new_browser=True)
        enrol(person)
        password(client)
        client.post(PAGE, {"send": "mail"})
        assert not mails(person.email) or "is your code" not in mails(person.email)[-1].subject
        assert not is_signed_in(client)

    def test_no_code_goes_to_an_address_that_nobody_proved(self, policy, client, person):
        """Known by a number that is verified; what stands as address may be a stranger's."""
        policy(confirm_new_browser=True)
        User.objects.update(phone=NUMBER, phone_verified_at=timezone.now(), email_verified_at=None)
        assert password(client)["Location"] == "/account"
        assert not mails(person.email)

    def test_without_the_setting_nobody_is_asked(self, client, person):
        assert password(client)["Location"] == "/account"


class TestLostFactor:
    @pytest.fixture(autouse=True)
    def _on(self, policy):
        policy(lost_factor_hours=48)

    def prove_mailbox(self, client, person):
        client.post(LOST, {"send": "mail"})
        return client.post(LOST, {"code": mails(person.email)[-1].code})

    def test_password_mailbox_and_a_wait(self, client, person):
        enrol(person)
        with time_machine.travel(time.time(), tick=False) as clock:
            password(client)
            assert LOST in client.get(PAGE).content.decode()
            assert client.get(LOST).status_code == 200
            assert self.prove_mailbox(client, person)["Location"] == f"{LOST}?done=begun"
            assert "You asked for it" in client.get(LOST).content.decode()
            assert "asked to remove your second step" in mails(person.email)[-1].subject
            assert TotpDevice.objects.count() == 1
            clock.shift(timedelta(hours=47))
            password(client)
            assert self.prove_mailbox(client, person)["Location"] == f"{LOST}?done=begun"
            clock.shift(timedelta(hours=2))
            password(client)
            assert "The wait is over" in client.get(LOST).content.decode()
            assert self.prove_mailbox(client, person)["Location"] == "/login?done=second_step_removed"
            assert TotpDevice.objects.count() == 0
            assert not is_signed_in(client)
            assert password(client)["Location"] == "/account"
        names = EventRecord.objects.filter(name__contains="reset").order_by("id").values_list("name", flat=True)
        assert list(names) == ["factor.reset_asked", "factor.all_reset"]

    @pytest.mark.clause("EM-18")
    def test_the_warning_goes_everywhere_and_its_link_calls_it_off(self, client, person, policy, django_capture_on_commit_callbacks):
        """The wait is a day at least (`IDP_LOST_FACTOR_HOURS`, tests/unit/operations/test_settings.py)."""
        policy(lost_factor_hours=24)
        User.objects.update(phone=NUMBER, phone_verified_at=timezone.now())
        enrol(person)
        password(client)
        with django_capture_on_commit_callbacks(execute=True):
            self.prove_mailbox(client, person)
        [link] = [link for link in mails(person.email)[-1].links if "token=" in link]
        [message] = texts(NUMBER)
        assert link in message.text
        owner, path = Client(), link.removeprefix("http://localhost:8000")
        assert owner.get(path)["Location"] == "/account/security/keep"
        assert "It was not me" in owner.get("/account/security/keep").content.decode()
        assert ResetRequest.objects.get().state == "waiting", "opening it changes nothing"
        assert "Your second step stays" in owner.post("/account/security/keep").content.decode()
        assert ResetRequest.objects.get().state == "declined"
        assert "Reset" in mails(person.email)[-1].subject
        again = Client()
        again.get(path)
        assert again.get("/account/security/keep").status_code == 400
        assert again.post("/account/security/keep").status_code == 400

    @pytest.mark.parametrize("token", ["", "x", "a:b:c", "\u0661", "x" * 5000, "[1]:2:3"])
    def test_a_link_that_is_none(self, client, token):
        assert client.get("/account/security/keep", {"token": token}).status_code in (302, 400)
        assert client.get("/account/security/keep").status_code == 400

    def test_the_link_of_one_reset_does_nothing_for_another(self, client, person):
        enrol(person)
        eve = make_person(email="eve@example.org")
        enrol(eve)
        password(client)
        self.prove_mailbox(client, person)
        path = next(link for link in mails(person.email)[-1].links if "token=" in link).removeprefix("http://localhost:8000")
        other = Client()
        password(other, eve.email)
        self.prove_mailbox(other, eve)
        stranger = Client()
        stranger.get(path)
        stranger.post("/account/security/keep")
        assert {row.user.email: row.state for row in ResetRequest.objects.all()} == {person.email: "declined", eve.email: "waiting"}

    def test_any_factor_that_is_used_calls_it_off(self, client, person):
        app = enrol(person)
        with time_machine.travel(time.time(), tick=False) as clock:
            password(client)
            self.prove_mailbox(client, person)
            owner = Client()
            password(owner)
            owner.post(PAGE, {"code": app.code()})
            assert ResetRequest.objects.get().state == "declined"
            clock.shift(timedelta(hours=49))
            password(client)
            assert "You asked for it" not in client.get(LOST).content.decode()
            self.prove_mailbox(client, person)
            assert TotpDevice.objects.count() == 1

    @pytest.mark.clause("MF-05")
    def test_it_needs_the_password_and_the_mailbox(self, client, person):
        enrol(person)
        assert client.get(LOST)["Location"] == PAGE
        assert client.post(LOST, {"send": "mail"})["Location"] == PAGE
        assert "is your code" not in "".join(mail.subject for mail in mails(person.email))
        password(client)
        assert client.post(LOST, {}).status_code == 400
        assert client.post(LOST, {"code": "123456"}).status_code == 400
        assert ResetRequest.objects.count() == 0

    def test_where_only_staff_can_help(self, client, person, policy):
        policy(lost_factor_hours=0)
        enrol(person)
        password(client)
        assert LOST not in client.get(PAGE).content.decode()
        assert client.get(LOST)["Location"] == PAGE
