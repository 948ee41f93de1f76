"""The Agent's contract against a real HTTP server: which calls, in which order, once, and what happens when it fails."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import Sum

from idp.accounts import people, profile
from idp.accounts.models import User
from idp.events import emit, outbox
from idp.events.catalogue import AccountErased, SignInSucceeded
from idp.events.models import Delivery, EventRecord, Lane, Outage
from idp.kernel import clock
from idp.notifications import delivery, sending
from idp.oidc.keys import rotation
from tests.support.agent import Agent, Server

State = Delivery.State
SECRET = "whsec_" + base64.b64encode(b"agent-secret-canary-31415926").decode()
pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    rotation.ensure("ES256")
    stand_in = Agent(secret=SECRET)
    server = Server(stand_in)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    port = server.server_address[1]
    settings.IDP = settings.IDP.model_copy(
        update={
            "agent_url": f"http://127.0.0.1:{port}",
            "agent_secret": type(settings.IDP.agent_secret)(SECRET),
            "agent_fields": ("username", "email", "allergies", "preferences"),
            "outbound_allow": (f"127.0.0.1:{port}",),
        }
    )
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join(5)
    stand_in.store.close()


def make(email: str = "ada@example.org", **claims: Any) -> User:
    user = people.create(email=email, method="signup", password="correct horse battery", verified=True)
    if claims:
        profile.change(user, claims, role="person")
    return user


def calls(agent: Agent, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(call[name] for name in names or ("method", "path", "status")) for call in agent.state()["calls"]]


def later() -> None:
    """The pauses before the next attempts are over."""
    Lane.objects.filter(due_at__isnull=False).update(due_at=clock.now())
    Outage.objects.all().update(until=clock.now())


def test_the_life_of_a_person(agent: Agent) -> None:
    """Product F: POST when verified, PATCH allergies, PATCH the rest, DELETE when erased; in this order, each once."""
    user = make()
    delivery.deliver_due()
    profile.change(user, {"allergies": ["nuts"]}, role="person")
    profile.change(user, {"preferences": {"cuisines": ["thai"]}, "preferred_username": "ada"}, role="person")
    profile.change(user, {"allergies": ["nuts", "eggs"], "bio": "not mapped"}, role="person")
    profile.change(user, {"bio": "not mapped either"}, role="person")
    emit(SignInSucceeded(), person=user.pk)
    delivery.deliver_due()
    sub = str(user.pk)
    assert agent.state()["people"] == {
        sub: {
            "uid": sub,
            "username": "ada",
            "email": "ada@example.org",
            "allergies": ["nuts", "eggs"],
            "preferences": {"cuisines": ["thai"]},
        }
    }
    emit(AccountErased(), person=user.pk)
    delivery.deliver_due()
    assert calls(agent) == [
        ("POST", f"/users/{sub}", 201),
        ("PATCH", f"/users/{sub}/allergies", 200),
        ("PATCH", f"/users/{sub}", 200),
        ("PATCH", f"/users/{sub}/allergies", 200),
        ("DELETE", f"/users/{sub}", 204),
    ]
    assert agent.state()["people"] == {}
    assert not Lane.objects.exists()
    assert set(Delivery.objects.values_list("state", "payload", "attempts")) == {("done", "", 1)}


def test_one_event_with_allergies_and_more_is_two_calls_with_two_keys(agent: Agent) -> None:
    user = make()
    profile.change(user, {"allergies": ["nuts"], "preferences": {"diet": "vegan"}}, role="person")
    delivery.deliver_due()
    event = EventRecord.objects.get(name="profile.changed")
    assert calls(agent, "method", "path", "key")[1:] == [
        ("PATCH", f"/users/{user.pk}/allergies", str(event.pk)),
        ("PATCH", f"/users/{user.pk}", f"{event.pk}.profile"),
    ]


def test_every_call_is_authorized_signed_and_named(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    check = agent.signed

    def remember(headers: Any, body: bytes) -> bool:
        seen.append({name.lower(): value for name, value in headers.items()})
        return check(headers, body)

    monkeypatch.setattr(agent, "signed", remember)
    make()
    delivery.deliver_due()
    [headers] = seen
    event = EventRecord.objects.get(name="account.verified")
    assert headers["idempotency-key"] == headers["webhook-id"] == str(event.pk)
    assert headers["x-request-id"]
    claims = json.loads(base64.urlsafe_b64decode(headers["authorization"].split(".")[1] + "=="))
    assert claims["aud"].startswith("http://127.0.0.1:")
    assert claims["iss"] == claims["sub"] == claims["client_id"]
    assert 0 < claims["exp"] - claims["iat"] <= 300
    agent.keys = [b"another key"]
    assert not check(type("H", (dict,), {})(headers), b"")


def test_nobody_is_told_of_somebody_who_is_not_verified(agent: Agent) -> None:
    user = people.create(email="new@example.org", method="signup", password="correct horse battery")
    profile.change(user, {"allergies": ["nuts"]}, role="person")
    delivery.deliver_due()
    assert calls(agent) == []
    people.mark_verified(user)
    delivery.deliver_due()
    assert calls(agent) == [("POST", f"/users/{user.pk}", 201)]
    assert agent.state()["people"][str(user.pk)]["allergies"] == ["nuts"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_there_already_or_gone_already_is_done(agent: Agent, method: str) -> None:
    user = make()
    if method == "POST":
        agent.store.execute("INSERT INTO person VALUES (?, '{}')", (str(user.pk),))
        delivery.deliver_due()
        assert calls(agent)[-1] == ("POST", f"/users/{user.pk}", 409)
    else:
        emit(AccountErased(), person=user.pk)
        delivery.deliver_due()
        assert calls(agent) == [("DELETE", f"/users/{user.pk}", 404)]
    assert not Delivery.objects.filter(state__in=["waiting", "dead"]).exists()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_pass_is_tried_again_with_the_same_id_and_bytes(agent: Agent, status: int) -> None:
    """Hostile case EV-03."""
    user = make(allergies=["nuts"])
    agent.blocked[str(user.pk)] = status
    delivery.deliver_due()
    rows = Delivery.objects.order_by("id")
    assert list(rows.values_list("state", "attempts", "last_error")) == [("waiting", 1, f"answered {status}"), ("waiting", 0, "")]
    payload = rows[0].payload
    assert "nuts" not in payload
    profile.change(user, {"allergies": ["eggs"]}, role="person")  # after the first attempt: the first call says what it said
    del agent.blocked[str(user.pk)]
    later()
    delivery.deliver_due()
    assert [row[0] for row in calls(agent, "method")] == ["POST", "PATCH", "PATCH"]
    assert agent.state()["people"][str(user.pk)]["allergies"] == ["eggs"]


def test_retry_after_is_honoured(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make()
    answers = [(429, {"retry-after": "1200"})]
    fetch = sending.outbound.fetch

    def slow_down(*args: Any, **kwargs: Any) -> Any:
        found = fetch(*args, **kwargs)
        if answers:
            status, headers = answers.pop()
            return type(found)(status, headers, b"")
        return found

    monkeypatch.setattr(sending.outbound, "fetch", slow_down)
    delivery.deliver_due()
    due = Lane.objects.get(key=user.pk).due_at
    assert due is not None
    assert due >= clock.now() + timedelta(seconds=1190)


def test_a_refusal_is_dead_at_once_and_holds_up_this_person_only(agent: Agent) -> None:
    """Hostile case EV-05; product F: a dead event of one user blocks later events of that user only."""
    ada, bob = make(), make("bob@example.org")
    agent.blocked[str(ada.pk)] = 400
    delivery.deliver_due()
    profile.change(ada, {"allergies": ["nuts"]}, role="person")
    profile.change(bob, {"allergies": ["nuts"]}, role="person")
    del agent.blocked[str(ada.pk)]
    delivery.deliver_due()
    assert calls(agent, "method", "sub") == [("POST", str(bob.pk)), ("PATCH", str(bob.pk))]
    dead = Delivery.objects.get(state="dead")
    assert (dead.last_error, dead.attempts) == ("answered 400", 1)
    assert delivery.retry(dead.pk)
    delivery.deliver_due()
    assert calls(agent, "method", "sub")[2:] == [("POST", str(ada.pk)), ("PATCH", str(ada.pk))]


def test_a_dead_event_can_be_given_up(agent: Agent) -> None:
    ada = make()
    agent.blocked[str(ada.pk)] = 422
    profile.change(ada, {"allergies": ["nuts"]}, role="person")
    delivery.deliver_due()
    agent.blocked.clear()
    dead = Delivery.objects.get(state="dead")
    assert delivery.skip(dead.pk)
    assert not delivery.skip(dead.pk)
    delivery.deliver_due()
    assert calls(agent, "method", "status") == [("PATCH", 404)]  # and that is dead in turn: the Agent does not know her


def test_after_three_days_it_is_dead(agent: Agent) -> None:
    make()
    agent.switches["down"] = True
    delivery.deliver_due()
    Delivery.objects.update(waiting_since=clock.now() - timedelta(days=3))
    later()
    delivery.deliver_due()
    row = Delivery.objects.get()
    assert (row.state, row.last_error) == ("dead", "gave up: answered 503")
    assert Lane.objects.get().due_at is None


def test_an_erased_person_takes_what_waits_along(agent: Agent) -> None:
    """Hostile case EV-10: earlier events are dropped, the erasure is what leaves, and nothing personal stays in the outbox."""
    user = make(allergies=["nuts"])
    agent.switches["down"] = True
    delivery.deliver_due()
    agent.switches["down"] = False
    emit(AccountErased(), person=user.pk)
    later()
    delivery.deliver_due()
    assert calls(agent) == [("DELETE", f"/users/{user.pk}", 404)]
    assert not Delivery.objects.exclude(payload="").exists()
    assert "ada@example.org" not in str(list(Delivery.objects.values()))


def test_what_was_read_before_an_erasure_is_neither_told_nor_kept_after_it(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile case EV-10: the person is erased between the moment a worker reads a message and the moment it makes the call."""
    from idp.notifications.receivers.agent import RECEIVER

    user = make(allergies=["nuts"])
    compose = RECEIVER.compose
    late = iter([lambda: emit(AccountErased(), person=user.pk)])

    def slow_compose(*arguments: Any) -> Any:
        composed = compose(*arguments)
        for erase in late:
            erase()
            break
        return composed

    monkeypatch.setattr(RECEIVER, "compose", slow_compose)
    delivery.deliver_due()
    assert calls(agent, "method") == [("DELETE",)]
    assert not Delivery.objects.exclude(payload="").exists()
    assert not Lane.objects.exists()


def test_nobody_waits_for_the_slow_answer_about_somebody_else(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """RC-03: while one call is under way and nothing else was due, a person who comes later is told at once."""
    from idp.notifications import lanes

    monkeypatch.setattr(lanes, "LOOK_EVERY", 0.01)
    slow, fast = threading.Event(), make("slow@example.org")
    send = sending.send

    def hold(job: sending.Job) -> sending.Sent:
        if str(fast.pk) in job.calls[0][0].url:
            slow.wait(20)
        return send(job)

    monkeypatch.setattr(lanes, "send", hold)
    claim, rounds = lanes.claim, iter(range(1000))

    def claim_and_sign_up(*arguments: Any, **named: Any) -> Any:
        if next(rounds) == 1:
            make("bob@example.org")
        if Delivery.objects.filter(state=State.DONE).exists():
            slow.set()
        return claim(*arguments, **named)

    monkeypatch.setattr(lanes, "claim", claim_and_sign_up)
    delivery.deliver_due()
    assert len(calls(agent)) == 2
    assert calls(agent, "sub")[1] == (str(fast.pk),), "the one whose call was slow is the last"


def test_one_broken_row_does_not_stop_the_others(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that meets a constraint (its target was removed at the same moment) fails alone."""
    from django.db import IntegrityError

    from idp.notifications.receivers.agent import RECEIVER

    ada = make()
    make("bob@example.org")
    compose = RECEIVER.compose

    def broken(record: EventRecord, row: Delivery) -> Any:
        if record.person == ada.pk:
            raise IntegrityError("gone")
        return compose(record, row)

    monkeypatch.setattr(RECEIVER, "compose", broken)
    delivery.deliver_due()
    assert [call[0] for call in calls(agent, "method")] == ["POST"]
    assert Delivery.objects.get(person=ada.pk, receiver="agent").last_error == "error: IntegrityError"


def test_an_agent_that_is_down_is_left_alone_and_found_again(agent: Agent) -> None:
    people_made = [make(f"p{number}@example.org") for number in range(12)]
    agent.switches["down"] = True
    delivery.deliver_due()
    outage = Outage.objects.get()
    assert outage.until > clock.now()
    tried = Delivery.objects.filter(attempts__gt=0).count()
    assert tried < len(people_made) + 1
    delivery.deliver_due()
    assert Delivery.objects.filter(attempts__gt=0).count() == tried
    agent.switches["down"] = False
    Outage.objects.update(until=clock.now())
    Lane.objects.filter(due_at__gt=clock.now()).first()
    lane = Lane.objects.order_by("id")[0]
    Lane.objects.filter(pk=lane.pk).update(due_at=clock.now())
    delivery.deliver_due()
    assert len(calls(agent)) == len(people_made), "the first success brings the others forward"
    assert not Outage.objects.exists()


def test_an_agent_that_is_away_for_a_day(agent: Agent, probe: Any, waiting: Any) -> None:
    """FT-09: changes are accepted, mail leaves as ever, the Agent is asked now and then; when it is back everything comes in order."""
    people_made = [make(f"p{number}@example.org") for number in range(3)]
    delivery.deliver_due()
    known = len(calls(agent))
    asked = []
    agent.switches["down"] = True
    with time_machine.travel(clock.now(), tick=True) as now:
        for hour in range(0, 24, 2):
            for user in people_made:
                profile.change(user, {"allergies": [f"hour {hour}"]}, role="person")
            waiting(hour=hour)
            for _ in range(4):
                now.shift(timedelta(minutes=30))
                delivery.deliver_due()
            asked.append(Delivery.objects.filter(receiver="agent").aggregate(tried=Sum("attempts"))["tried"])
            assert len(probe.got) == hour // 2 + 1, "mail is not starved"
        assert len(calls(agent)) == known
        assert asked[-1] - asked[0] <= 11 * 4 * len(people_made), "a person's first event is tried, not all that waits behind it"
        assert Delivery.objects.filter(receiver="agent", state=State.WAITING).count() == 12 * len(people_made)
        agent.switches["down"] = False
        now.shift(timedelta(minutes=20))
        delivery.deliver_due()
    assert not Delivery.objects.filter(state=State.WAITING).exists()
    for user in people_made:
        told = [call for call in agent.state()["calls"] if call["sub"] == str(user.pk)]
        events = EventRecord.objects.filter(person=user.pk, sequence__isnull=False).order_by("sequence")
        assert [call["key"] for call in told] == [
            str(event.pk) for event in events if event.name in ("account.verified", "profile.changed")
        ]
        assert agent.state()["people"][str(user.pk)]["allergies"] == ["hour 22"]


def test_what_the_agent_says_beside_its_status_does_not_matter(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """FT-09: 200 and garbage, more of it than anybody reads, in a packing that it is not in."""
    from tests.support import agent as stand_in

    answer = stand_in._Handler._answer

    def garbage(self: Any, status: int, *_: Any) -> None:
        self.send_response(status)
        self.send_header("content-encoding", "gzip")
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(b"\x00\xff<html>" * 12_500)

    monkeypatch.setattr(stand_in._Handler, "_answer", garbage)
    user = make()
    delivery.deliver_due()
    profile.change(user, {"allergies": ["nuts"]}, role="person")
    delivery.deliver_due()
    monkeypatch.setattr(stand_in._Handler, "_answer", answer)
    assert calls(agent, "method") == [("POST",), ("PATCH",)]
    assert set(Delivery.objects.filter(receiver="agent").values_list("state", "attempts")) == {("done", 1)}


def test_one_person_in_trouble_is_no_outage(agent: Agent) -> None:
    """RC-03: others do not wait, however often the calls of one fail."""
    ada = make()
    agent.blocked[str(ada.pk)] = 500
    for _ in range(8):
        later()
        delivery.deliver_due()
    assert Outage.objects.get().until <= clock.now()
    make("bob@example.org")
    delivery.deliver_due()
    assert [call[0] for call in calls(agent, "method")] == ["POST"]


def test_what_waits_follows_the_agent_to_its_new_address(agent: Agent, settings: Any) -> None:
    here = settings.IDP
    settings.IDP = here.model_copy(update={"agent_url": "http://127.0.0.1:1", "outbound_allow": ("127.0.0.1/32",)})
    make()
    delivery.deliver_due()
    assert Delivery.objects.get().attempts == 1
    settings.IDP = here
    later()
    delivery.deliver_due()
    assert [call[0] for call in calls(agent, "method")] == ["POST"]


def test_what_is_dead_for_a_month_is_forgotten_and_holds_nothing_up(agent: Agent) -> None:
    from idp.notifications import cleaning

    ada = make()
    agent.blocked[str(ada.pk)] = 400
    delivery.deliver_due()
    profile.change(ada, {"allergies": ["nuts"]}, role="person")
    agent.blocked.clear()
    Delivery.objects.filter(state="dead").update(done_at=clock.now() - timedelta(days=31))
    assert cleaning.delete_finished_deliveries() == 1
    delivery.deliver_due()
    assert calls(agent, "method", "status") == [("PATCH", 404)]


def test_the_delivery_log_tells_what_was_sent_and_hides_what_it_must(agent: Agent) -> None:
    """Hostile case EV-10, RC-18: no credential, signature or personal data in the log of deliveries."""
    user = make("canary@example.org", allergies=["peanut-canary"])
    agent.blocked[str(user.pk)] = 500
    delivery.deliver_due()
    agent.blocked.clear()
    later()
    delivery.deliver_due()
    rows = list(Delivery.objects.order_by("id"))
    first, second = rows[0].log
    assert (first["attempt"], first["response"]["status"], first["outcome"]) == (1, 500, "answered 500")
    assert (second["attempt"], second["response"]["status"], second["outcome"]) == (2, 201, "taken")
    assert second["request"]["method"] == "POST"
    assert second["request"]["headers"]["authorization"] == "[hidden]"
    assert json.loads(second["request"]["body"])["allergies"] == "[personal data]"
    assert second["milliseconds"] >= 0
    text = json.dumps([row.log for row in rows])
    assert "canary" not in text
    assert "Bearer" not in text
    assert "v1," not in text


def test_what_many_people_need_at_once_is_one_statement(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """RC-04: a backlog drains at the speed of statements. Only what the Agent is told is read for each person alone."""
    from concurrent.futures import ALL_COMPLETED

    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from idp.notifications import lanes

    monkeypatch.setattr(lanes, "FIRST_COMPLETED", ALL_COMPLETED)

    def cost(people_count: int) -> int:
        for number in range(people_count):
            make(f"{User.objects.count()}-{number}@example.org")
        with CaptureQueriesContext(connection) as captured:
            assert lanes.deliver_events(seconds=20) == people_count
        # Elsewhere than in tests generations are looked up once a second.
        return sum("kernel_generation" not in query["sql"] for query in captured)

    cost(1)  # the signing key is read
    assert cost(lanes.SLOTS) - cost(1) == lanes.SLOTS - 1
    assert not Lane.objects.exists()


def test_without_an_agent_nothing_is_put_in_the_line(settings: Any) -> None:
    make(allergies=["nuts"])
    assert not Delivery.objects.filter(receiver="agent").exists()


Read = Callable[[], Any]


def test_a_lane_that_gets_an_event_while_it_closes_is_not_forgotten(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wake-up that would be lost: an event is committed between the last look at a lane and its removal."""
    from idp.notifications import lanes

    user = make()
    close = lanes._close
    late = iter([lambda: profile.change(user, {"allergies": ["late"]}, role="person")])

    def slow_close(over: Any) -> Any:
        for event in late if over else ():
            event()
            break
        return close(over)

    monkeypatch.setattr(lanes, "_close", slow_close)
    delivery.deliver_due()
    assert [row[0] for row in calls(agent, "method")] == ["POST", "PATCH"]
    assert not Lane.objects.exists()
    assert uuid.UUID(agent.state()["calls"][0]["sub"]) == user.pk
