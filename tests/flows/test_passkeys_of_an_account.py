"""A person's own passkeys: added, named, removed; who else may not, and what everybody is told."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import time_machine
from django.test import Client

from idp.events.models import EventRecord
from idp.mfa.models import RecoveryCodes, WebAuthnKey
from idp.sessions.models import BrowserSession
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails
from tests.support.security_key import UP, SecurityKey, add_key

from .test_passkeys import use

pytestmark = pytest.mark.django_db
PAGE = "/account/security/passkey"


def create(client: Client, held: SecurityKey, **fields: str) -> Any:
    asked = client.post(f"{PAGE}/options", fields).json()
    return client.post(PAGE, {"state": asked["state"], "answer": json.dumps(held.create(asked["options"])), **fields})


@pytest.fixture
def signed_in(client, person):
    client.post("/login", {"login": person.email, "password": PASSWORD})
    return client


def test_the_first_one_comes_with_recovery_codes_and_a_mail(signed_in, person):
    held = SecurityKey()
    done = create(signed_in, held)
    assert done.status_code == 200
    assert len(re.findall(r"<li>([0-9A-Z]{5}-[0-9A-Z]{5})</li>", done.content.decode())) == 10
    key = WebAuthnKey.objects.get()
    assert (key.name, key.transports, key.discoverable, key.verified) == ("Google Password Manager", ["hybrid", "internal"], True, True)
    assert BrowserSession.objects.exclude(sid="").get().acr == "phr"
    assert EventRecord.objects.filter(name="factor.added").get().data["kind"] == "webauthn"
    assert "passkey “Google Password Manager”" in mails(person.email)[0].text
    page = signed_in.get("/account/security").content.decode()
    assert "Google Password Manager" in page
    assert "synced" in page
    assert create(signed_in, SecurityKey()).status_code == 302, "the codes are there already"
    assert signed_in.get("/account").content.decode().count("2 passkeys and security keys") == 1


def test_options_name_a_random_handle_and_what_is_there(signed_in, person):
    add_key(person)
    use(signed_in, add_key(person)[0])
    options = signed_in.post(f"{PAGE}/options").json()["options"]
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert len(options["excludeCredentials"]) == 2
    assert str(person.pk).replace("-", "") not in json.dumps(options)
    hardware = signed_in.post(f"{PAGE}/options", {"kind": "security_key"}).json()["options"]
    assert hardware["hints"] == ["security-key"]
    assert hardware["authenticatorSelection"]["userVerification"] == "preferred"


def test_a_security_key_is_a_second_step(signed_in, person):
    held = SecurityKey(flags=UP, aaguid=bytes(16))
    assert create(signed_in, held).status_code == 400, "a passkey must verify"
    assert create(signed_in, held, kind="security_key").status_code == 200
    assert WebAuthnKey.objects.get().name == "Security key"
    assert "second step only" in signed_in.get("/account/security").content.decode()


@pytest.mark.clause("MF-07")
def test_nothing_changes_without_a_fresh_proof(signed_in, person):
    """Hostile cases MF-07, BR-06: neither long ago nor with the password alone, once there is something stronger."""
    with time_machine.travel(time.time() + 301):
        assert signed_in.get(PAGE)["Location"] == f"/login?again=1&next={PAGE.replace('/', '%2F')}"
        assert signed_in.post(f"{PAGE}/options").status_code == 403
        assert signed_in.post(PAGE, {"state": "x", "answer": "{}"})["Location"].startswith("/login?again=1")
    held, key = add_key(person)
    assert signed_in.post(f"{PAGE}/options").status_code == 403, "the password alone is not enough any more"
    assert signed_in.post(f"{PAGE}/{key.pk}", {"decision": "remove"})["Location"].startswith("/login?again=1")
    use(signed_in, held)
    assert signed_in.post(f"{PAGE}/options").status_code == 200


def test_name_it_and_remove_it(signed_in, person):
    held, key = add_key(person)
    enrol(person)
    use(signed_in, held)
    assert signed_in.post(f"{PAGE}/{key.pk}", {"decision": "rename", "name": "<b>Mine</b>"})["Location"] == "/account/security"
    assert "&lt;b&gt;Mine&lt;/b&gt;" in signed_in.get("/account/security").content.decode()
    assert signed_in.post(f"{PAGE}/{key.pk}", {"decision": "rename", "name": " "}).status_code == 400
    other = Client()
    use(other, held)
    signed_in.post(f"{PAGE}/{key.pk}", {"decision": "remove"})
    assert not WebAuthnKey.objects.exists()
    assert "does not work any more" in mails(person.email)[-1].text
    assert {row.acr for row in BrowserSession.objects.exclude(sid="")} == {"0"}, "what it proved is gone everywhere (MF-11)"
    assert use(Client(), held).status_code == 400


@pytest.mark.clause("WK-17")
def test_the_last_way_in_stays(client, person):
    """Hostile case WK-17."""
    held, key = add_key(person)
    person.set_unusable_password()
    person.save()
    use(client, held)
    assert "only way in" in client.get(f"{PAGE}/{key.pk}").content.decode()
    assert client.post(f"{PAGE}/{key.pk}", {"decision": "remove"}).status_code == 302
    assert WebAuthnKey.objects.count() == 1
    add_key(person, kind="security_key", flags=UP)
    assert "only way in" in client.get(f"{PAGE}/{key.pk}").content.decode(), "that one does not sign in alone"
    add_key(person)
    client.post(f"{PAGE}/{key.pk}", {"decision": "remove"})
    assert WebAuthnKey.objects.count() == 2


def test_the_last_second_step_takes_the_codes_along(signed_in, person):
    create(signed_in, SecurityKey())
    key = WebAuthnKey.objects.get()
    assert "only second step" in signed_in.get(f"{PAGE}/{key.pk}").content.decode()
    signed_in.post(f"{PAGE}/{key.pk}", {"decision": "remove"})
    assert RecoveryCodes.objects.count() == 0


def test_somebody_elses_is_not_there(signed_in):
    _held, key = add_key(make_person(email="eve@example.org"))
    assert signed_in.get(f"{PAGE}/{key.pk}").status_code == 404
    assert signed_in.post(f"{PAGE}/{key.pk}", {"decision": "remove"}).status_code == 404


def test_what_password_managers_are_told(signed_in, person):
    assert "data-passkey-signals" not in signed_in.get("/account/security").content.decode()
    create(signed_in, SecurityKey())
    text = signed_in.get("/account/security").content.decode()
    found = re.search(r'data-rp-id="(.*?)" data-user-id="(.*?)" data-accepted="(.*?)" data-name="(.*?)"', text)
    assert found is not None
    assert found[1] == "localhost"
    assert (len(found[2]), len(found[3]), found[4]) == (43, 43, person.email)


def test_no_more_than_twenty(signed_in, person, monkeypatch):
    from idp.mfa.webauthn import registration

    monkeypatch.setattr(registration, "MOST", 1)
    create(signed_in, SecurityKey())
    assert "as many passkeys" in create(signed_in, SecurityKey()).content.decode()
    assert 'id="add-passkey"' not in signed_in.get("/account/security").content.decode()


def test_pages_stay_within_their_budget(signed_in, person, django_assert_max_num_queries):
    held, key = add_key(person)
    use(signed_in, held)
    for path in ("/account/security", PAGE, f"{PAGE}/{key.pk}", "/login?again=1&next=/account/security"):
        with django_assert_max_num_queries(12):
            assert signed_in.get(path).status_code == 200
    with django_assert_max_num_queries(12):
        signed_in.post(f"{PAGE}/options")
    with django_assert_max_num_queries(2):
        Client().get("/login")
