"""Changing the e-mail address: proved, told to the former one, taken back."""

from __future__ import annotations

# ruff: noqa: F811  (the names of fixtures)
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings

from idp.accounts import address_change, people
from idp.accounts.address_change import Kind
from idp.accounts.models import AddressChange, User
from idp.events.models import EventRecord
from idp.kernel import clock, generations
from idp.mfa.models import TotpDevice, WebAuthnKey
from tests.support.authenticator import enrol
from tests.support.clauses import clause
from tests.support.mailbox import mails
from tests.support.security_key import add_key
from tests.support.world import World, ada, shop, signing_keys  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "countess@example.org"


@pytest.fixture
def world(signing_keys):
    yield World("views", settings.IDP.issuer)
    generations.forget()


@pytest.fixture
def here(world, ada, shop):
    browser = world.browser()
    shop.tokens(browser)
    return browser


def begin(browser, address=NEW):
    page = browser.get("/account/address/email")
    return browser.follow(browser.submit(page, button="address-send", address=address))


def confirm(browser, code):
    return browser.follow(browser.submit(browser.get("/account/address/email"), button="address-confirm", code=code))


@clause("EM-06")
def test_the_former_address_works_until_the_proof_and_then_gets_the_way_back(world, here, ada):
    page = begin(here)
    assert NEW in page.text
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"
    [mail] = mails(NEW)
    assert confirm(here, "000000" if mail.code != "000000" else "111111").status == 400
    assert "is verified" in confirm(here, mail.code).text
    user = User.objects.get(pk=ada.pk)
    assert (user.email, user.email_verified) == (NEW, True)
    [notice] = [mail for mail in mails("ada@example.org") if "was changed" in mail.subject]
    [link] = [link for link in notice.links if "undo" in link]
    stranger = world.browser()
    moved = stranger.get(link.removeprefix(settings.IDP.issuer))
    assert "token" not in moved.location  # EM-16
    for _ in range(5):
        assert "undo-submit" in stranger.get("/account/address/undo").text  # EM-01
    assert User.objects.get(pk=ada.pk).email == NEW
    done = stranger.submit(stranger.get("/account/address/undo"), button="undo-submit")
    assert 'id="undone"' in done.text
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"
    assert "/login" in here.get("/account").location  # whoever changed it is out
    assert any("password/reset" in link for mail in mails("ada@example.org") for link in mail.links)
    stranger.get(link.removeprefix(settings.IDP.issuer))
    assert "does not work any more" in stranger.get("/account/address/undo").text  # EM-02


@clause("PW-04")
def test_an_address_of_somebody_else_answers_like_any_other(world, here, ada):
    world.person("eve@example.org")
    free = begin(here).text
    here.submit(here.get("/account/address/email"), button="address-cancel")
    taken = begin(here, "eve@example.org").text
    assert free.replace(NEW, "X").split("csrf")[0] == taken.replace("eve@example.org", "X").split("csrf")[0]
    [mail] = mails("eve@example.org")
    assert "belongs to an account of its own" in mail.text
    for code in ("000000", "111111", "222222"):
        confirm(here, code)
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"


@clause("EM-05")
def test_asking_again_or_a_new_password_makes_the_first_code_worthless(here, ada):
    begin(here)
    first = mails(NEW)[0].code
    begin_again = here.submit(here.get("/account/address/email"), button="address-cancel")
    assert begin_again.status == 302
    begin(here, "other@example.org")
    second = mails("other@example.org")[0].code
    if first != second:
        assert confirm(here, first).status == 400
    people.set_password(User.objects.get(pk=ada.pk), "a wholly different password")
    assert address_change.waiting(User.objects.get(pk=ada.pk), Kind.EMAIL) is None
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"


@clause("EM-06", "PW-18")
def test_taking_it_back_leaves_an_intruder_nothing(world, here, ada):
    """What was set up since the change was told to the intruder's address: it goes, and the password that they knew does not work."""
    begin(here)
    confirm(here, mails(NEW)[0].code)
    user = User.objects.get(pk=ada.pk)
    mine = enrol(user, name="Mine")
    TotpDevice.objects.update(created_at=clock.now() - timedelta(days=1))
    enrol(user, name="Theirs")
    add_key(user)
    [link] = [link for mail in mails("ada@example.org") for link in mail.links if "undo" in link]
    stranger = world.browser()
    stranger.visit(link.removeprefix(settings.IDP.issuer))
    stranger.submit(stranger.get("/account/address/undo"), button="undo-submit")
    assert [device.name for device in TotpDevice.objects.all()] == ["Mine"]
    assert not WebAuthnKey.objects.exists()
    assert EventRecord.objects.filter(name="factor.removed").count() == 2
    assert not User.objects.get(pk=ada.pk).has_usable_password()
    # The owner goes on by the mailbox, with their own second step.
    [link] = [link for link in mails("ada@example.org")[-1].links if "token=" in link]
    owner = world.browser()
    owner.visit(link.removeprefix(settings.IDP.issuer))
    owner.submit(owner.get("/password/reset"), button="reset-submit", password="an entirely new pass phrase")
    page = owner.submit(owner.get("/login"), button="login-submit", login="ada@example.org", password="an entirely new pass phrase")
    assert page.location == "/login/second-factor"
    assert owner.submit(owner.get(page.location), button="second-factor-submit", code=mine.code()).location == "/account"


@clause("EM-03", "EM-07")
def test_late_spent_or_foreign_codes_do_nothing(world, here, ada):
    begin(here)
    code = mails(NEW)[0].code
    eve = world.person("eve@example.org")
    address_change.begin(eve, kind=Kind.EMAIL, address="more@example.org")
    assert not address_change.confirm(eve, kind=Kind.EMAIL, code=code).done or mails("more@example.org")[0].code == code
    with time_machine.travel(clock.now() + timedelta(minutes=16), tick=False):
        assert address_change.confirm(ada, kind=Kind.EMAIL, code=code).refusal == "spent"
    for _ in range(3):
        address_change.confirm(ada, kind=Kind.EMAIL, code="x")
    assert address_change.confirm(ada, kind=Kind.EMAIL, code=code).refusal == "spent"
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"
    with time_machine.travel(clock.now() + timedelta(days=8), tick=False):
        assert address_change.delete_expired() == AddressChange.objects.count() + 2


@clause("EM-13")
@pytest.mark.parametrize(
    "address", ["ADA@Example.ORG", "\uff21da@example.org", "no address", "a\x00b@example.org", "\u0131@example.org", "x" * 400]
)
def test_the_same_address_or_none_is_refused(here, ada, address):
    answer = here.submit(here.get("/account/address/email"), button="address-send", address=address)
    assert answer.status == 400
    assert "Error:" in answer.text
    assert AddressChange.objects.count() == 0


def test_only_so_many_changes_an_hour(here, ada):
    for number in range(5):
        begin(here, f"n{number}@example.org")
        here.submit(here.get("/account/address/email"), button="address-cancel")
    answer = here.submit(here.get("/account/address/email"), button="address-send", address="more@example.org")
    assert answer.status == 429
    assert answer.header("Retry-After")
    assert mails("more@example.org") == []


def test_a_phone_number_is_added_and_removed(here, ada, monkeypatch):
    from pydantic import SecretStr

    with monkeypatch.context() as without_gateway:
        without_gateway.setattr(settings, "IDP", settings.IDP.model_copy(update={"sms_url": SecretStr("")}))
        assert here.get("/account/address/phone").status == 404
    sent = []
    monkeypatch.setattr("idp.accounts.sms.send_code", lambda **values: sent.append(values))
    page = here.get("/account/address/phone")
    page = here.follow(here.submit(page, button="address-send", address="+351 912 345 678"))
    assert sent[0]["to"] == "+351912345678"
    done = here.follow(here.submit(page, button="address-confirm", code=sent[0]["code"]))
    assert "+351912345678" in done.text
    user = User.objects.get(pk=ada.pk)
    assert (user.phone, user.phone_verified) == ("+351912345678", True)
    removed = here.follow(here.submit(here.get("/account/address/phone"), button="address-remove"))
    assert "was removed" in removed.text
    assert User.objects.get(pk=ada.pk).phone is None
    assert any("+351912345678 was removed" in mail.text for mail in mails("ada@example.org"))


@pytest.mark.parametrize("word", ["fax", "email%00", "%F0"])
def test_other_words_are_no_pages(here, word):
    assert here.get(f"/account/address/{word}").status in (400, 404)
