"""What staff and operators do is in the log with what was before and after; the log is searched; a download is an event."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.test import Client as Browser

from idp.accounts import people
from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.events.models import Delivery, EventRecord
from idp.kernel.clock import now
from idp.kernel.commands import READING, OperatorCommand
from idp.oidc.clients import registry
from idp.oidc.explain.record import record
from idp.oidc.keys import rotation
from idp.oidc.models import RefusedRequest, SigningKey
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.refusals import REDIRECT_URI_MISMATCH
from tests.support.clauses import clause
from tests.support.factories import make_person

pytestmark = pytest.mark.django_db

CLIENTS = "/staff/oidc/client/"
PEOPLE = "/staff/accounts/user/"
EVENTS = "/staff/events/eventrecord/"
KEYS = "/staff/oidc/signingkey/"
DELIVERIES = "/staff/events/delivery/"


@pytest.fixture
def officer(db) -> User:
    user = make_person(email="grace@example.org")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def staff(officer) -> Browser:
    browser = Browser()
    browser.force_login(officer)
    return browser


@pytest.fixture
def app(db):
    return registry.create({"client_name": "Meals", "redirect_uris": ["https://meals.example/cb"]})[0]


def last(name: str) -> EventRecord:
    return EventRecord.objects.filter(name=name).latest("id")


# Field diffs


@clause("hostile case OP-12")
def test_each_change_of_the_console_is_recorded_with_who_what_when_and_from_where(staff, officer, person, app):
    rotation.ensure()
    dead = Delivery.objects.create(receiver="mail", payload="x", state=Delivery.State.DEAD, done_at=now())
    kid = SigningKey.objects.filter(algorithm="ES256").values_list("kid", flat=True)[0]
    actions: list[tuple[str, dict[str, str], str, dict[str, Any]]] = [
        (f"{CLIENTS}{app.pk}/switch/", {"to": "off"}, "client.updated", {"enabled": {"old": True, "new": False}}),
        (
            f"{CLIENTS}{app.pk}/secret/",
            {"overlap": "3600"},
            "client.secret_rotated",
            {"client_secret": {"old": "[secret]", "new": "[secret]"}, "overlap_seconds": {"new": 3600}},
        ),
        (f"{PEOPLE}{person.pk}/switch/", {"to": "off"}, "account.disabled", {"active": {"old": True, "new": False}}),
        (f"{PEOPLE}{person.pk}/switch/", {"to": "on"}, "account.enabled", {"active": {"old": False, "new": True}}),
        (f"{PEOPLE}{person.pk}/sign-out/", {}, "account.signed_out_everywhere", {"sign_in_epoch": {"old": 1, "new": 2}}),
        (f"{KEYS}rotate/", {}, "key.created", {"published": {"new": True}}),
        (f"{KEYS}{kid.replace('_', '_5F')}/retire/", {}, "key.retired", {"published": {"old": True, "new": False}}),
        (f"{DELIVERIES}{dead.pk}/retry/", {}, "delivery.retried", {"state": {"old": "dead", "new": "waiting"}}),
        (f"{CLIENTS}{app.pk}/delete/", {}, "client.deleted", {"client_name": {"old": "Meals"}}),
    ]
    for address, form, name, changes in actions:
        before = EventRecord.objects.filter(name=name).count()
        answer = staff.post(address, form, HTTP_USER_AGENT="Firefox", REMOTE_ADDR="192.0.2.9")
        assert answer.status_code in (200, 302), address
        assert EventRecord.objects.filter(name=name).count() > before, address
        row = last(name)
        assert (row.by, row.ip, row.user_agent) == (officer.pk, "192.0.2.9", "Firefox"), address
        assert row.request_id == answer["X-Request-ID"]
        assert row.data["changes"] | changes == row.data["changes"], address
    assert not EventRecord.objects.filter(name="staff.acted").exists()


def test_a_change_of_an_app_shows_old_and_new_and_no_secret(staff, officer, app):
    registry.update(
        app, {"client_name": "Meals II", "contacts": ["ops@meals.example"], "resources": ["https://api.example"]}, by=officer.pk
    )
    row = last("client.updated")
    assert row.data["changes"] == {
        "client_name": {"old": "Meals", "new": "Meals II"},
        "contacts": {"new": "[personal]"},
        "resources": {"old": [], "new": ["https://api.example"]},
    }
    page = staff.get(f"{EVENTS}{row.pk}/").content.decode()
    assert "Meals II" in page
    assert "ops@meals.example" not in page


def test_what_a_page_forgets_to_record_is_recorded_all_the_same(staff, officer, person, monkeypatch):
    monkeypatch.setattr(people, "disable", lambda user, *, by: None)
    staff.post(f"{PEOPLE}{person.pk}/switch/", {"to": "off"})
    row = last("staff.acted")
    assert (row.by, row.data) == (officer.pk, {"page": f"{PEOPLE}{person.pk}/switch/", "object": str(person.pk)})


@clause("hostile case OP-12")
def test_each_command_that_may_change_something_is_recorded_before_it_runs():
    out = StringIO()
    call_command("client", "create", "Shop", "--redirect-uri", "https://shop.example/cb", "--json", stdout=out)
    run, made = last("operator.command_run"), last("client.created")
    assert run.data["command"] == "client create"
    assert run.data["account"]
    assert run.request_id == made.request_id != ""
    assert made.user_agent == run.user_agent == "manage.py client create"
    assert made.data["changes"]["redirect_uris"] == {"new": ["https://shop.example/cb"]}
    assert json.loads(out.getvalue())["client_secret"] not in json.dumps(list(EventRecord.objects.values_list("data", flat=True)))
    call_command("client", "list", "--json", stdout=StringIO())
    assert EventRecord.objects.filter(name="operator.command_run").count() == 1


def test_every_command_of_the_operator_is_watched():
    """No command goes around `handle` of the base class, and what it calls reading is a subcommand of its own."""
    ours = [load_command_class(app, name) for name, app in get_commands().items() if isinstance(app, str) and app.startswith("idp.")]
    watched = [command for command in ours if isinstance(command, OperatorCommand)]
    assert len(watched) >= 8
    for command in watched:
        assert type(command).handle is OperatorCommand.handle
        assert set(command.reading) <= set(command.subcommands)
        assert not set(command.reading) & READING


# Exports


@clause("hostile case OP-12")
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_download_is_an_event(staff, officer, app, form):
    answer = staff.get(f"{CLIENTS}{form}?kind=web&q=meals")
    assert "meals.example" in answer.content.decode()
    if form == "json":
        assert json.loads(answer.content)[0]["client_id"] == app.client_id
    row = last("staff.exported")
    assert (row.by, row.data) == (
        officer.pk,
        {"page": CLIENTS, "format": form, "rows": 1, "filters": ["kind=web", "q=[personal]"]},
    )


# Search


@pytest.fixture
def history(person, app) -> None:
    emit(catalogue.SignInFailed(reason="password"), person=person.pk)
    emit(catalogue.SignInSucceeded(client_id=app.client_id), person=person.pk)
    record(OAuthError(REDIRECT_URI_MISMATCH), endpoint="authorize", arrived={"client_id": app.client_id})


def test_the_console_finds_by_person_client_kind_time_and_reference(staff, history, person, app):
    def shown(query: str) -> str:
        answer = staff.get(f"{EVENTS}?{query}")
        assert answer.status_code == 200, query
        return answer.content.decode().partition('class="panel list"')[2]

    assert "sign_in.failed" in shown("q=ada@example.org")
    assert "sign_in.failed" in shown(f"q={person.pk}")
    assert "sign_in.failed" not in shown(f"q=ada@example.org {app.client_id}")
    assert "sign_in.succeeded" in shown(f"q=ada@example.org {app.client_id}")
    assert "sign_in.failed" not in shown("name=sign_in.succeeded")
    hour_ago, in_an_hour = ((now() + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M") for hours in (-1, 1))
    assert "sign_in.failed" in shown(f"q=ada@example.org&since={hour_ago}&until={in_an_hour}")
    assert "sign_in.failed" not in shown(f"until={hour_ago}")
    assert "Nothing matches" in shown(f"since={in_an_hour}")
    for odd in ("since=x", "until=0001-01-01T00:00", "since=9999-12-31T23:59", "since=%00", "until=2026-99-99"):
        assert staff.get(f"{EVENTS}?{odd}").status_code in (200, 400), odd


def test_a_time_keeps_the_rest_of_the_search(staff, history):
    page = staff.get(f"{EVENTS}?q=ada@example.org&name=sign_in.failed&since=2026-01-01T00:00").content.decode()
    form = page.partition('name="until"')[0].rpartition("<form")[2]
    assert 'name="since" value="2026-01-01T00:00"' in form
    assert 'name="q" value="ada@example.org"' in form


def found(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("audit", "search", *arguments, "--json", stdout=out)
    return [row["name"] for row in json.loads(out.getvalue())["events"]]


def test_the_command_finds_by_person_client_kind_time_and_reference(history, person, app):
    assert found("--person", "ada@example.org", "--kind", "sign_in") == ["sign_in.succeeded", "sign_in.failed"]
    assert found("--person", str(person.pk), "--client", app.client_id) == ["sign_in.succeeded"]
    assert found("--kind", "sign_in.failed", "--since", "1h") == ["sign_in.failed"]
    assert found("--until", "2026-01-01") == []
    assert found("--kind", "sign_in", "--limit", "1") == ["sign_in.succeeded"]
    reference = RefusedRequest.objects.get()
    RefusedRequest.objects.update(request_id="0123456789abcdef")
    EventRecord.objects.filter(name="sign_in.failed").update(request_id="0123456789abcdef")
    assert found("--reference", reference.reference.lower()) == ["sign_in.failed"]
    for wrong in (["--person", "nobody@example.org"], ["--kind", "nothing"], ["--since", "yesterday"]):
        with pytest.raises(CommandError):
            found(*wrong)


# Shared Signals streams


@clause("hostile case OP-12")
def test_staff_see_pause_and_delete_streams(staff, officer):
    from idp.ssf import signals, streams

    app, _secret = registry.create({"client_name": "SIEM", "scope": "ssf.manage"}, type="service")
    stream = streams.create(app.client_id, {"events_requested": [signals.SESSION_REVOKED]})
    address = f"/staff/ssf/stream/{stream.pk}/"
    assert app.client_id in staff.get("/staff/ssf/stream/").content.decode()
    assert signals.SESSION_REVOKED in staff.get(address).content.decode()
    assert staff.get(f"{address}status/").status_code == 405
    staff.post(f"{address}status/", {"to": "paused"})
    staff.post(f"{address}status/", {"to": "nonsense"})
    stream.refresh_from_db()
    assert stream.status == "paused"
    row = last("ssf.stream_updated")
    assert (row.by, row.data["changes"]) == (officer.pk, {"status": {"old": "enabled", "new": "paused"}})
    assert "what waits for it is lost" in staff.get(f"{address}delete/").content.decode()
    staff.post(f"{address}delete/")
    assert last("ssf.stream_deleted").by == officer.pk
    assert staff.get(address).status_code == 404
