"""Creating an account: address, password, code."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from idp.accounts.models import AddressProof, User
from idp.events.models import EventRecord
from tests.support.factories import make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough pass phrase"


def sign_up(client, *, email="new@example.org", password=PASSWORD, **more):
    return client.post("/signup", {"email": email, "password": password, **more})


def test_the_form_helps_password_managers(client):
    page = client.get("/signup").content.decode()
    assert 'autocomplete="email"' in page
    assert 'autocomplete="new-password"' in page


def test_a_new_person_from_form_to_account(client):
    response = sign_up(client, email="New@Example.org", next="/account/apps")
    assert (response.status_code, response["Location"]) == (302, "/signup/verify?next=%2Faccount%2Fapps")
    assert User.objects.count() == 0  # nobody exists until the address is proved
    page = client.get(response["Location"]).content.decode()
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    assert "new@example.org" in page
    [mail] = mails()
    assert mail.to == "new@example.org"
    assert mail.code in mail.subject
    assert mail.code in mail.html
    response = client.post("/signup/verify", {"code": f" {mail.code[:3]} {mail.code[3:]} ", "next": "/account/apps"})
    assert response["Location"] == "/account/apps"
    person = User.objects.get()
    assert (person.email, person.email_verified) == ("new@example.org", True)
    assert person.check_password(PASSWORD)
    assert client.get("/account/password").status_code == 200
    names = list(EventRecord.objects.order_by("id").values_list("name", flat=True))
    assert names == ["account.created", "account.email_verified", "account.verified", "sign_in.succeeded"]


def test_the_link_fills_the_code_in_and_does_nothing_by_itself(client, django_user_model):
    sign_up(client)
    [mail] = mails()
    [link] = [link for link in mail.links if "code=" in link]
    assert link.startswith("http://localhost:8000/signup/verify?code=")
    path = link.removeprefix("http://localhost:8000")
    for _ in range(5):
        assert f'value="{mail.code}"' in client.get(path).content.decode()
    assert User.objects.count() == 0
    # In another browser it is worth nothing, and says what to do (EM-04).
    stranger = type(client)()
    page = stranger.get(path)
    assert page.status_code == 400
    assert "in the browser in which you began" in page.content.decode()
    assert mail.code not in page.content.decode()


def test_three_tries_then_a_new_code(client):
    sign_up(client)
    [mail] = mails()
    wrong = "000000" if mail.code != "000000" else "111111"
    texts = [client.post("/signup/verify", {"code": wrong}).content.decode() for _ in range(3)]
    assert "2 tries are left" in texts[0]
    assert "1 try is left" in texts[1]
    assert "does not work any more" in texts[2]
    assert "does not work any more" in client.post("/signup/verify", {"code": mail.code}).content.decode()
    assert User.objects.count() == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert client.post("/signup/verify/resend").status_code == 302
        newest = mails()[-1]
        assert client.post("/signup/verify", {"code": newest.code}).status_code == 302
    assert User.objects.count() == 1


def test_a_code_lives_fifteen_minutes(client):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        sign_up(client)
    [mail] = mails()
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        assert "does not work any more" in client.post("/signup/verify", {"code": mail.code}).content.decode()
    with time_machine.travel(now + timedelta(minutes=14, seconds=59), tick=False):
        assert client.post("/signup/verify", {"code": mail.code}).status_code == 302


def test_asking_again_takes_growing_patience_and_has_an_end(client):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        sign_up(client)
        refused = client.post("/signup/verify/resend")
        assert refused.status_code == 429
        assert "another code in 1 minute" in refused.content.decode()
    first = mails()[0].code
    for wait in (60, 120, 300, 600):
        with time_machine.travel(now + timedelta(seconds=wait - 5), tick=False):
            assert client.post("/signup/verify/resend").status_code == 429
        now += timedelta(seconds=wait + 1)
        with time_machine.travel(now, tick=False):
            assert client.post("/signup/verify/resend").status_code == 302
    codes = [mail.code for mail in mails()]
    assert len(codes) == 5
    with time_machine.travel(now, tick=False):
        if first != codes[-1]:
            assert client.post("/signup/verify", {"code": first}).status_code == 400  # only the newest counts
        assert client.post("/signup/verify", {"code": codes[-1]}).status_code == 302


def test_a_code_is_used_once(client):
    sign_up(client)
    [mail] = mails()
    proof = AddressProof.objects.get()
    assert client.post("/signup/verify", {"code": mail.code}).status_code == 302
    proof.refresh_from_db()
    assert proof.used_at is not None
    from idp.accounts import proofs

    assert proofs.confirm(proof.pk, mail.code).refusal == "spent"


def test_closed_sign_up(client, settings):
    settings.IDP = settings.IDP.model_copy(update={"signup": "closed"})
    assert client.get("/signup").status_code == 403
    assert sign_up(client).status_code == 403
    assert AddressProof.objects.count() == 0
    assert "/signup" not in client.get("/login").content.decode()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"email": "not an address"}, "Enter an email address"),
        ({"email": ""}, "Enter your email address"),
        ({"password": "too short"}, "at least 15 characters"),
        ({"password": ""}, "Enter your password"),
        ({"password": "x" * 129}, "at most 128"),
        ({"email": "somebody@example.org", "password": "somebody@example.org"}, "made of your address"),
        ({"password": "passwordpassword"}, "lists that attackers try"),
    ],
)
def test_what_cannot_be_taken_is_said_beside_the_field(client, values, text):
    response = sign_up(client, **values)
    assert response.status_code == 400
    assert text in response.content.decode()
    assert AddressProof.objects.count() == 0
    assert mails() == []


def test_an_account_without_a_proved_address_belongs_to_who_proves_it(client):
    """Hostile case PW-18: whoever made the account before keeps nothing of it."""
    squatter = make_person(email="new@example.org", password="the squatter's own pass phrase", verified=False)
    sign_up(client)
    [mail] = mails()
    assert client.post("/signup/verify", {"code": mail.code}).status_code == 302
    squatter.refresh_from_db()
    assert squatter.email_verified
    assert squatter.credential_epoch == 1
    assert squatter.check_password(PASSWORD)
    assert not squatter.check_password("the squatter's own pass phrase")
