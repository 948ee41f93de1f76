"""Webhooks, deliveries and "send again" in the staff console; the events API."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from idp.accounts.models import User
from idp.events import emit, outbox
from idp.events.catalogue import AccountEnabled, SessionEnded
from idp.events.models import Delivery, EventRecord, Lane
from idp.kernel import clock
from idp.notifications import delivery, webhooks
from idp.notifications.models import Webhook
from idp.notifications.receivers import Refused
from idp.oidc.clients import registry
from idp.oidc.keys import rotation
from tests.support.factories import make_person

pytestmark = pytest.mark.django_db
HOOKS, DELIVERIES, EVENTS = "/staff/notifications/webhook/", "/staff/events/delivery/", "/staff/events/eventrecord/"
FORM = {"name": "Mine", "url": "https://hooks.example.org/x", "events": "account.* session.ended", "contact": "ops@example.org"}
ADA = uuid.UUID(int=1)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    settings.IDP = settings.IDP.model_copy(update={"env": "development", "staff_second_step": "optional"})


@pytest.fixture
def staff(db: None) -> Browser:
    user = make_person(email="grace@example.org")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Browser()
    browser.force_login(User.objects.get(pk=user.pk))
    return browser


def test_a_webhook_from_the_form_to_its_end(staff: Browser) -> None:
    assert "Add" in staff.get(HOOKS).content.decode()
    answer = staff.post(f"{HOOKS}add/", FORM)
    key = re.search(r'id="webhook-key">(whsec_[^<]+)<', answer.content.decode())
    assert key
    assert "no-store" in answer["Cache-Control"]
    row = Webhook.objects.get()
    page = staff.get(f"{HOOKS}{row.pk}/").content.decode()
    assert FORM["url"] in page
    assert key[1] not in page + staff.get(HOOKS).content.decode()
    assert staff.post(f"{HOOKS}{row.pk}/edit/", {**FORM, "events": "*"}).status_code == 302
    assert staff.post(f"{HOOKS}{row.pk}/switch/").status_code == 302
    row.refresh_from_db()
    assert (row.events, row.enabled) == ("*", False)
    assert "whsec_" in staff.post(f"{HOOKS}{row.pk}/key/", {"former": "keep"}).content.decode()
    row.refresh_from_db()
    assert len(webhooks.keys(row)) == 2
    assert "Remove the webhook" in staff.get(f"{HOOKS}{row.pk}/delete/").content.decode()
    assert staff.post(f"{HOOKS}{row.pk}/delete/").status_code == 302
    assert not Webhook.objects.exists()
    done = EventRecord.objects.filter(name__startswith="webhook.").order_by("id").values_list("name", flat=True)
    assert list(done) == ["webhook.added", "webhook.updated", "webhook.updated", "webhook.key_rotated", "webhook.removed"]
    assert not EventRecord.objects.filter(name__startswith="webhook.", by=None).exists()


def test_what_is_wrong_is_said_on_the_form(staff: Browser) -> None:
    for change in ({"url": "http://10.0.0.1/"}, {"events": "nonsense"}):
        page = staff.post(f"{HOOKS}add/", {**FORM, **change})
        assert page.status_code == 200
        assert 'aria-invalid="true"' in page.content.decode()
    assert not Webhook.objects.exists()


def test_only_staff_sees_any_of_it(staff: Browser) -> None:
    row, _ = webhooks.add(name="Mine", url=FORM["url"], events=["*"])
    stranger = Browser()
    stranger.force_login(make_person(email="mallory@example.org"))
    for path in (HOOKS, f"{HOOKS}add/", f"{HOOKS}{row.pk}/", f"{HOOKS}{row.pk}/key/", f"{HOOKS}{row.pk}/delete/"):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path).status_code == 404
    for action in ("switch", "edit"):
        assert stranger.post(f"{HOOKS}{row.pk}/{action}/").status_code == 404


def test_an_event_and_its_deliveries(staff: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    webhooks.add(name="Mine", url=FORM["url"], events=["account.*"])
    emit(AccountEnabled(), person=ADA)
    emit(AccountEnabled(), person=ADA)
    first, second = EventRecord.objects.filter(name="account.enabled").order_by("id")
    monkeypatch.setattr("idp.notifications.lanes._calls", lambda row, receiver, record: (_ for _ in ()).throw(Refused("answered 418")))
    delivery.deliver_due()
    row = Delivery.objects.get(event=first.pk)
    Delivery.objects.filter(pk=row.pk).update(
        log=[{"attempt": 1, "at": "x", "milliseconds": 7, "outcome": "answered 418", "response": {"status": 418}}]
    )
    page = staff.get(f"{DELIVERIES}{row.pk}/").content.decode()
    assert "answered 418" in page
    assert "7 ms" in page
    assert 'id="skip"' in page
    assert "webhook" in staff.get(f"{DELIVERIES}?q={first.pk}").content.decode()
    assert "account.enabled" not in staff.get(f"{DELIVERIES}?q=nonsense").content.decode().partition("<main")[2]
    assert staff.post(f"{DELIVERIES}{row.pk}/retry/").status_code == 302
    row.refresh_from_db()
    assert row.state == "waiting"
    other = Delivery.objects.get(event=second.pk)
    assert staff.post(f"{DELIVERIES}{other.pk}/skip/").status_code == 302
    other.refresh_from_db()
    assert other.state == "expired"
    assert Lane.objects.filter(key=ADA, due_at__isnull=False).exists()
    assert "Send again" in staff.get(f"{EVENTS}{first.pk}/").content.decode()
    assert "All events of this person" in staff.get(f"{EVENTS}{first.pk}/send/").content.decode()
    assert staff.post(f"{EVENTS}{first.pk}/send/", {"what": "webhook person"}).status_code == 302
    assert EventRecord.objects.get(name="delivery.replayed").data["receiver"] == "webhook"
    assert staff.post(f"{EVENTS}{first.pk}/send/", {"what": "nonsense"}).status_code == 404


class Service:
    """A service of the operator's with a token of its own."""

    def __init__(self, scope: str) -> None:
        rotation.ensure()
        client, secret = registry.create({"client_name": "Reader", "scope": scope}, type="service")
        assert secret
        self.browser = Browser()
        answer = self.browser.post(
            "/token",
            "grant_type=client_credentials",
            content_type="application/x-www-form-urlencoded",
            HTTP_AUTHORIZATION=_basic(client.client_id, secret),
        )
        self.token = answer.json()["access_token"]

    def read(self, **query: Any) -> Any:
        return self.browser.get("/api/v1/events", query, HTTP_AUTHORIZATION=f"Bearer {self.token}")


def _basic(user: str, password: str) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def aged() -> None:
    """As if they had been written some seconds ago: what is quite new may be overtaken and is not told yet."""
    for row in EventRecord.objects.all():
        EventRecord.objects.filter(pk=row.pk).update(id=uuid.UUID(int=row.pk.int - (5000 << 80)))


def test_the_log_is_read_page_by_page_and_nothing_twice() -> None:
    service = Service("events.read")
    for _ in range(7):
        emit(AccountEnabled(), person=ADA)
    emit(SessionEnded(reason="logout", sid="sid-canary"), person=ADA)
    assert service.read(name="account.enabled").json()["events"] == [], "younger than what may still be committed"
    aged()
    seen, after = [], ""
    while True:
        page = service.read(limit=3, sub=str(ADA), **({"after": after} if after else {})).json()
        seen += page["events"]
        after = page["next"]
        if not page["more"]:
            break
    assert [event["sequence"] for event in seen] == list(range(1, 9))
    assert seen[-1]["data"] == {"reason": "logout"}
    assert "ip" not in seen[0]
    assert service.read(after=after).json() == {"events": [], "next": after, "more": False}


def test_personal_fields_need_a_scope_of_their_own() -> None:
    service = Service("events.read events.read_personal")
    emit(SessionEnded(reason="logout", sid="sid-7"), person=ADA)
    aged()
    [event] = service.read(name="session.ended").json()["events"]
    assert event["data"]["sid"] == "sid-7"
    assert set(event) >= {"ip", "user_agent", "request_id"}


@pytest.mark.parametrize(
    "query", [{"after": "x"}, {"limit": "0"}, {"limit": "501"}, {"limit": "many"}, {"name": "nonsense"}, {"sub": "\x00"}]
)
def test_nonsense_is_refused_without_an_echo(query: dict[str, str]) -> None:
    answer = Service("events.read").read(**query)
    assert answer.status_code == 400
    assert "nonsense" not in answer.content.decode()


def test_nobody_else_reads() -> None:
    browser = Browser()
    answer = browser.get("/api/v1/events")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="events"')
    assert browser.get("/api/v1/events", HTTP_AUTHORIZATION="Bearer x").status_code == 401
    assert browser.post("/api/v1/events").status_code == 405
    other = Service("something.else")
    assert other.read().status_code == 403
    assert 'error="insufficient_scope"' in other.read()["WWW-Authenticate"]


def test_the_horizon_is_the_oldest_transaction() -> None:
    from idp.events import reading

    emit(AccountEnabled(), person=ADA)
    aged()
    found, more = reading.page(after=None, most=10, names=["account.enabled"])
    assert len(found) == 1
    assert not more
    assert found[0].at <= clock.now() + timedelta(seconds=1)
