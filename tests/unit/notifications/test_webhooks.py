"""Webhooks: signed with two keys, filtered, in order, switched off when they fail for days; replay; the commands."""

from __future__ import annotations

import base64
import hmac
import io
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command

from idp.accounts import people
from idp.accounts.models import User
from idp.events import emit, outbox
from idp.events.catalogue import AccountEnabled, ClientCreated, SessionEnded, SignInFailed, TokensRefreshed
from idp.events.models import Delivery, EventRecord, Lane, Outage
from idp.kernel import clock
from idp.notifications import delivery, replay, webhooks
from idp.notifications.models import Webhook

pytestmark = pytest.mark.django_db
ADA, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


class Endpoint:
    """Somebody's server: what arrived, and the status that it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.status = 204
        self.url = ""

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@pytest.fixture
def endpoint(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    here = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            here.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(here.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    here.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    settings.IDP = settings.IDP.model_copy(update={"outbound_allow": (f"127.0.0.1:{server.server_address[1]}",)})
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    yield here
    server.shutdown()
    server.server_close()
    thread.join(5)


def fits(headers: dict[str, str], body: str, key: str) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    wanted = base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix("whsec_")), signed, sha256)).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split()


def again() -> None:
    Lane.objects.filter(due_at__isnull=False).update(due_at=clock.now())
    Outage.objects.all().update(until=clock.now())


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_events_arrive_signed_and_in_order(endpoint: Endpoint) -> None:
    _, key = webhooks.add(name="Mine", url=endpoint.url, events=["account.*", "session.ended", "client.created"])
    emit(AccountEnabled(), person=ADA)
    emit(SignInFailed(reason="not asked for"), person=ADA)
    emit(SessionEnded(reason="logout", sid="sid-canary"), person=ADA)
    emit(ClientCreated(client_id="app"))
    delivery.deliver_due()
    assert sorted(endpoint.types()) == ["account.enabled", "client.created", "session.ended"]
    assert endpoint.types().index("account.enabled") < endpoint.types().index("session.ended")
    event = EventRecord.objects.get(name="session.ended")
    headers, body = next(one for one in endpoint.got if "session.ended" in one[1])
    assert fits(headers, body, key)
    assert not fits(headers, body, webhooks.signature.new_key())
    assert headers["webhook-id"] == str(event.pk)
    message = json.loads(body)
    assert message["data"] == {
        "id": str(event.pk),
        "sub": str(ADA),
        "sequence": 3,
        "by": None,
        "client_id": None,
        "reason": "logout",
    }
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}


def test_two_keys_sign_while_the_former_one_is_replaced(endpoint: Endpoint) -> None:
    row, first = webhooks.add(name="Mine", url=endpoint.url, events=["*"])
    second = webhooks.rotate_key(row)
    emit(AccountEnabled(), person=ADA)
    delivery.deliver_due()
    [newest] = [one for one in endpoint.got if "account.enabled" in one[1]]
    assert fits(*newest, first)
    assert fits(*newest, second)
    row.refresh_from_db()
    third = webhooks.rotate_key(row, drop_former=True)
    emit(AccountEnabled(), person=ADA)
    delivery.deliver_due()
    last = [one for one in endpoint.got if "account.enabled" in one[1]][-1]
    assert [fits(*last, key) for key in (first, second, third)] == [False, False, True]


def test_a_dead_message_holds_nothing_up(endpoint: Endpoint) -> None:
    webhooks.add(name="Mine", url=endpoint.url, events=["account.*"])
    emit(AccountEnabled(), person=ADA)
    endpoint.status = 400
    delivery.deliver_due()
    endpoint.status = 200
    emit(AccountEnabled(), person=ADA)
    delivery.deliver_due()
    assert list(Delivery.objects.order_by("id").values_list("state", flat=True)) == ["dead", "done"]


def test_one_that_fails_for_days_is_switched_off_and_somebody_is_told(endpoint: Endpoint) -> None:
    row, _ = webhooks.add(name="Mine", url=endpoint.url, events=["account.*"], contact="ops@example.org")
    emit(AccountEnabled(), person=ADA)
    endpoint.status = 500
    delivery.deliver_due()
    assert Webhook.objects.get().enabled
    Outage.objects.update(since=clock.now() - timedelta(days=6))
    again()
    delivery.deliver_due()
    row.refresh_from_db()
    assert not row.enabled
    assert row.disabled_because == "It failed for 6 days in a row."
    assert EventRecord.objects.filter(name="webhook.disabled").count() == 1
    delivery.deliver_due()
    [notice] = mail.outbox
    assert notice.to == ["ops@example.org"]
    assert "Mine" in notice.subject
    emit(AccountEnabled(), person=ADA)
    assert Delivery.objects.filter(receiver="webhook").count() == 1, "it is told of nothing more"
    webhooks.update(row, {"enabled": True})
    endpoint.status = 204
    [missed] = EventRecord.objects.filter(name="account.enabled").order_by("-id")[:1]
    replay.replay(replay.choose(names=["account.enabled"]), receiver="webhook")
    again()
    delivery.deliver_due()
    assert str(missed.pk) in [headers["webhook-id"] for headers, _ in endpoint.got[2:]]


def test_one_that_refuses_everything_for_days_is_switched_off_too(endpoint: Endpoint) -> None:
    """Its messages are dead at once and none waits: without this nobody would ever be told."""
    row, _ = webhooks.add(name="Mine", url=endpoint.url, events=["account.enabled"], contact="ops@example.org")
    endpoint.status = 404
    start = clock.now()
    for days in (0, 2, 4):
        with time_machine.travel(start + timedelta(days=days)):
            emit(AccountEnabled(), person=ADA)
            delivery.deliver_due()
    assert Webhook.objects.get().enabled
    endpoint.status = 204
    with time_machine.travel(start + timedelta(days=4, hours=1)):
        emit(AccountEnabled(), person=ADA)
        delivery.deliver_due()
    assert not Outage.objects.exists(), "a success begins a new count"
    endpoint.status = 404
    for hours in (5 * 24, 11 * 24 + 1):
        with time_machine.travel(start + timedelta(hours=hours)):
            emit(AccountEnabled(), person=ADA)
            delivery.deliver_due()
    row.refresh_from_db()
    assert (row.enabled, row.disabled_because) == (False, "It failed for 6 days in a row.")
    assert Delivery.objects.filter(receiver="mail").count() == 1


def test_replay_sends_the_same_ids_and_bytes_in_order(endpoint: Endpoint) -> None:
    row, _ = webhooks.add(name="Mine", url=endpoint.url, events=["account.*"])
    for _ in range(3):
        emit(AccountEnabled(), person=ADA)
        emit(AccountEnabled(), person=BOB)
    delivery.deliver_due()
    first = {headers["webhook-id"]: body for headers, body in endpoint.got}
    Delivery.objects.filter(event=EventRecord.objects.filter(person=ADA).order_by("id")[1].pk).delete()  # cleaned meanwhile
    endpoint.got.clear()
    assert replay.replay(replay.choose(person=ADA), receiver="webhook", target=str(row.pk)) == 3
    delivery.deliver_due()
    assert [json.loads(body)["data"]["sequence"] for _, body in endpoint.got] == [1, 2, 3]
    assert all(first[headers["webhook-id"]] == body for headers, body in endpoint.got)
    assert EventRecord.objects.filter(name="delivery.replayed").count() == 1


def test_traffic_is_told_without_a_number(endpoint: Endpoint) -> None:
    webhooks.add(name="Mine", url=endpoint.url, events=["tokens.refreshed"])
    emit(TokensRefreshed(client_id="app", scope="openid"), person=ADA)
    delivery.deliver_due()
    [(_, body)] = endpoint.got
    assert json.loads(body)["data"]["sequence"] is None


def test_removing_takes_along_what_waits(endpoint: Endpoint) -> None:
    row, _ = webhooks.add(name="Mine", url=endpoint.url, events=["*"])
    emit(AccountEnabled(), person=ADA)
    webhooks.remove(row)
    assert not Delivery.objects.exists()
    assert not Lane.objects.exists()
    emit(AccountEnabled(), person=ADA)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://10.0.0.1/x"},
        {"url": "ftp://example.org"},
        {"url": "https://user:pass@example.org/"},
        {"events": ["nonsense"]},
        {"events": ["acc*"]},
        {"events": []},
        {"name": " "},
        {"contact": "nobody"},
    ],
)
def test_what_cannot_be_a_webhook_is_refused(settings: Any, wrong: dict[str, Any]) -> None:
    good = {"name": "Mine", "url": "https://hooks.example.org/x", "events": ["*"], "contact": ""}
    with pytest.raises(webhooks.WebhookError):
        webhooks.add(**{**good, **wrong})
    assert not Webhook.objects.exists()


def test_the_commands(endpoint: Endpoint) -> None:
    added = run("webhook", "add", endpoint.url, "--event", "account.*", "--contact", "ops@example.org")
    assert added["secret"].startswith("whsec_")
    assert added["secret"] not in str(list(Webhook.objects.values()))
    assert [row["id"] for row in run("webhook", "list")["webhooks"]] == [added["id"]]
    assert "secret" not in run("webhook", "list")["webhooks"][0]
    assert run("webhook", "update", added["id"], "--disable", "--name", "Other")["enabled"] is False
    assert run("webhook", "update", added["id"], "--enable")["name"] == "Other"
    assert run("webhook", "rotate-secret", added["id"])["secret"] != added["secret"]
    person: User = people.create(email="ada@example.org", method="command", verified=True)
    delivery.deliver_due()
    events = run("events", "tail", "--person", str(person.pk))["events"]
    assert [row["name"] for row in events] == ["account.created", "account.email_verified", "account.verified"]
    assert [row["sequence"] for row in events] == [1, 2, 3]
    shown = run("events", "show", events[0]["id"])
    assert [one["state"] for one in shown["deliveries"]] == ["done"]
    listed = run("deliveries", "list", "--receiver", "webhook", "--person", str(person.pk))["deliveries"]
    assert len(listed) == 3
    log = run("deliveries", "show", listed[0]["id"])["log"]
    assert log[0]["response"]["status"] == 204
    assert log[0]["request"]["headers"]["webhook-signature"] == "[hidden]"
    assert run("events", "replay", "--receiver", "webhook", "--person", str(person.pk)) == {"sent": 3}
    assert run("deliveries", "list", "--receiver", "mail") == {"deliveries": []}
    with pytest.raises(CommandError, match="Choose events"):
        run("events", "replay", "--receiver", "webhook")
    assert run("webhook", "remove", added["id"]) == {"removed": added["id"]}
    with pytest.raises(CommandError, match="no webhook"):
        run("webhook", "remove", added["id"])
    with pytest.raises(CommandError, match="no event"):
        run("events", "show", added["id"])
