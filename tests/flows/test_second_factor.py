"""The second step: added, asked for, replaced by a recovery code and removed, as a browser without JavaScript does it."""

from __future__ import annotations

import re
import time

import pytest
import time_machine
from django.test import Client

from idp.events.models import EventRecord
from idp.mfa import factors
from idp.mfa.models import RecoveryCodes, TotpDevice
from idp.sessions.models import BrowserSession
from tests.support.authenticator import App, enrol
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
PAGE = "/login/second-factor"


def password(client, email="ada@example.org", **more):
    return client.post("/login", {"login": email, "password": PASSWORD, **more})


def signed_in(client) -> bool:
    return client.get("/account").status_code == 200


def session() -> BrowserSession:
    return BrowserSession.objects.exclude(sid="").get()


def test_from_adding_the_app_to_signing_in_with_it(client, person):
    password(client)
    page = client.get("/account/security/authenticator")
    text = page.content.decode()
    app = App(re.search(r'id="manual-key">([A-Z2-7 ]+)<', text)[1])
    assert "<svg" in text
    assert "img-src" in page["Content-Security-Policy"]
    wrong = client.post("/account/security/authenticator", {"code": app.wrong(), "name": "Phone"})
    assert (wrong.status_code, TotpDevice.objects.count()) == (400, 0)
    assert app.key in wrong.content.decode(), "the same key, so that the app need not be set up again"
    done = client.post("/account/security/authenticator", {"code": app.code(), "name": "  My \u200e  phone "})
    sheet = re.findall(r"<li>([0-9A-Z]{5}-[0-9A-Z]{5})</li>", done.content.decode())
    assert (done.status_code, len(sheet)) == (200, 10)
    assert TotpDevice.objects.get().name == "My phone"
    assert (session().acr, session().amr) == ("urn:kairos:acr:mfa", ["pwd", "otp", "mfa"])
    assert list(EventRecord.objects.filter(name__startswith="factor.").values_list("name", flat=True)) == [
        "factor.added",
        "factor.recovery_codes_made",
    ]
    assert "My phone" in "".join(mail.text for mail in mails(person.email))
    assert sheet[0] not in client.get("/account/security/recovery-codes").content.decode()

    other = Client()
    answer = password(other)
    assert answer["Location"] == PAGE
    assert not signed_in(other)
    password(other)
    replayed = other.post(PAGE, {"code": app.code()})
    assert replayed.status_code == 400, "the code that was typed when it was added is spent"
    with time_machine.travel(time.time() + 60):
        assert other.post(PAGE, {"code": app.code()})["Location"] == "/account"
        assert signed_in(other)
    record = EventRecord.objects.filter(name="sign_in.succeeded").last()
    assert record.data["amr"] == ["pwd", "otp", "mfa"]


def test_the_way_through_keeps_where_it_leads(client, person):
    app = enrol(person)
    assert password(client, next="/account/apps")["Location"] == PAGE
    asked = client.get(PAGE)
    assert asked["Location"] == f"{PAGE}?next=%2Faccount%2Fapps"
    page = client.get(asked["Location"]).content.decode()
    assert '<input type="hidden" name="next" value="/account/apps">' in page
    assert 'autocomplete="one-time-code"' in page
    assert client.post(PAGE, {"code": app.code(), "next": "/account/apps"})["Location"] == "/account/apps"


def test_a_recovery_code_gets_in_and_says_how_many_are_left(client, person):
    enrol(person)
    sheet = factors.make_codes(person, request=type("Request", (), {"session": None})())
    password(client)
    assert client.post(PAGE, {"code": sheet[3].lower()})["Location"] == "/account"
    assert "9 codes left" in client.get("/account/security").content.decode()
    assert "9 codes are left" in mails(person.email)[-1].text


def test_name_another_and_remove_with_a_warning_at_the_last(client, person):
    app = enrol(person)
    password(client)
    client.post(PAGE, {"code": app.code()})
    tablet = enrol(person, name="Tablet")
    assert tablet
    first, second = TotpDevice.objects.order_by("pk")
    assert client.post(f"/account/security/authenticator/{first.pk}", {"name": "<b>Old</b>", "decision": "rename"}).status_code == 302
    assert "&lt;b&gt;Old&lt;/b&gt;" in client.get("/account/security").content.decode()
    assert "only second step" not in client.get(f"/account/security/authenticator/{second.pk}").content.decode()
    client.post("/account/security/recovery-codes")
    assert client.post(f"/account/security/authenticator/{second.pk}", {"decision": "remove"}).status_code == 302
    assert RecoveryCodes.objects.count() == 1
    assert "only second step" in client.get(f"/account/security/authenticator/{first.pk}").content.decode()
    client.post(f"/account/security/authenticator/{first.pk}", {"decision": "remove"})
    assert (TotpDevice.objects.count(), RecoveryCodes.objects.count()) == (0, 0)
    assert (session().acr, session().amr) == ("urn:kairos:acr:1fa", ["pwd"])
    assert "does not work any more" in mails(person.email)[-1].text
    assert password(Client())["Location"] == "/account"


def test_no_more_than_five(client, person):
    for number in range(factors.MOST):
        app = enrol(person, name=str(number))
    password(client)
    client.post(PAGE, {"code": app.code()})
    assert client.get("/account/security/authenticator")["Location"] == "/account/security"
    assert "add-authenticator" not in client.get("/account/security").content.decode()


def test_the_account_page_says_what_is_there(client, person):
    password(client)
    assert "the password alone signs you in" in client.get("/account").content.decode()
    assert client.get("/account/security/recovery-codes")["Location"] == "/account/security"
    assert client.get("/account/security").status_code == 200


def test_a_foreign_session_key_opens_nothing(client, person):
    """A secret that waited for somebody who was signed in here before is not offered to the next one."""
    password(client)
    client.get("/account/security/authenticator")
    eve = make_person(email="eve@example.org")
    data = client.session
    data["authenticator_to_add"] = factors.begin(eve).sealed
    data.save()
    assert client.get("/account/security/authenticator").status_code == 200
