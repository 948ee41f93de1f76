"""Other providers by the operator's command and in the staff console: secrets go in, and never come out."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.federation import upstreams
from idp.federation.models import UpstreamRow
from tests.support.factories import make_person
from tests.support.upstream import FakeUpstream, go

pytestmark = pytest.mark.django_db
SECRET = "correct-horse-0123456789"
PAGES = "/staff/federation/upstreamrow/"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, given: str = "") -> Any:
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    out = io.StringIO()
    call_command("upstream", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command(client: Client, corp: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    added = run(
        monkeypatch, "add", "work", "--issuer", f"{corp.issuer}/.well-known/openid-configuration", "--client-id", "kairos", "--label", "Work",
        "--domain", "work.example", "--map", "nickname=name", "--trusted-acr", "mfa", "--no-button", given="upstream-secret\n",
    )  # fmt: skip
    assert added["issuer"] == corp.issuer
    assert added["redirect_uri"] == "http://localhost:8000/federation/work/callback"
    assert (added["domains"], added["mapping"], added["button"]) == (["work.example"], {"nickname": "name"}, False)
    assert added["has_secret"] is True
    assert "upstream-secret" not in json.dumps(added) + UpstreamRow.objects.get(name="work").secret_sealed
    assert [one["name"] for one in run(monkeypatch, "list")["upstreams"]] == ["corp", "work"]
    assert go(client, corp, name="work")["Location"] == "/account"
    assert User.objects.get().claims == {"nickname": "Ada L."}
    assert run(monkeypatch, "show", "work")["linked_people"] == 1
    changed = run(monkeypatch, "update", "work", "--button", "--refresh", "never", "--none-of", "domain", "--no-enabled")
    assert (changed["button"], changed["refresh"], changed["domains"], changed["enabled"]) == (True, "never", [], False)
    assert run(monkeypatch, "update", "work", "--secret-stdin", given="another\n")["has_secret"] is True
    assert upstreams.everything()["work"].secret == "another"
    run(monkeypatch, "remove", "corp", "--yes")
    with pytest.raises(CommandError, match="1 linked accounts would lose"):
        run(monkeypatch, "remove", "work")
    assert run(monkeypatch, "remove", "work", "--yes") == {"name": "work", "removed": True, "links_removed": 1}
    kinds = EventRecord.objects.filter(name__startswith="upstream.").order_by("id").values_list("name", flat=True)
    assert list(kinds) == [
        "upstream.added",
        "upstream.added",
        "upstream.updated",
        "upstream.updated",
        "upstream.removed",
        "upstream.removed",
    ]
    assert "another" not in "".join(json.dumps(row.data) for row in EventRecord.objects.all())


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "Bad Name", "--issuer", "https://x.example", "--client-id", "x"),
        ("add", "corp", "--issuer", "https://x.example", "--client-id", "x"),
        ("add", "x", "--issuer", "ftp://x.example", "--client-id", "x"),
        ("add", "x", "--issuer", "https://x.example?a=b", "--client-id", "x"),
        ("add", "x", "--issuer", "https://x.example", "--client-id", "x", "--domain", "not a domain"),
        ("add", "x", "--issuer", "https://x.example", "--client-id", "x", "--map", "sub=sub"),
        ("add", "x", "--issuer", "https://x.example", "--client-id", "x", "--map", "phone_number=phone"),
        ("add", "x", "--issuer", "https://x.example", "--client-id", "x", "--map", "name"),
        ("update", "corp"),
        ("update", "nobody", "--label", "x"),
        ("show", "nobody"),
        ("remove", "nobody"),
        ("test", "nobody"),
    ],
)
def test_what_the_command_refuses(corp: FakeUpstream, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]):
    with pytest.raises(CommandError):
        run(monkeypatch, *arguments, given="secret\n")
    assert UpstreamRow.objects.count() == 1


def test_it_says_what_works(corp: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    answer = run(monkeypatch, "test", "corp")
    assert answer["works"] is True, answer
    assert [one["what"] for one in answer["checks"]] == ["switched on", "discovery", "keys", "client", "redirect URI to register there"]
    upstreams.update("corp", secret="wrong", logout=True)
    answer = run(monkeypatch, "test", "corp")
    assert {one["what"]: one["good"] for one in answer["checks"]}["client"] is False
    assert {one["what"]: one["good"] for one in answer["checks"]}["sign-out there"] is False
    corp.answers = {"/.well-known/openid-configuration": (404, {}, b"")}
    assert run(monkeypatch, "test", "corp")["works"] is False


def test_google_of_the_settings_is_not_changed_by_the_command(corp: FakeUpstream, settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.IDP = settings.IDP.model_copy(update={"google_client_id": "x"})
    assert run(monkeypatch, "show", "google")["label"] == "Google"
    with pytest.raises(CommandError, match="IDP_GOOGLE_CLIENT_ID"):
        run(monkeypatch, "update", "google", "--label", "x")


@pytest.fixture
def staff(db: None) -> Client:
    user = make_person(email="grace@example.org")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Client()
    browser.force_login(User.objects.get(pk=user.pk))
    return browser


FORM = {
    "name": "work", "label": "Work", "kind": "oidc", "client_id": "kairos", "secret": SECRET, "enabled": "on", "button": "on", "signup": "on",
    "trust_email": "on", "mapping": "name = name\nnickname=preferred_username", "refresh": "unedited", "auth_method": "", "domains": "work.example",
}  # fmt: skip


def test_the_staff_console(staff: Client, corp: FakeUpstream):
    """The secret goes in, is sealed, and is in no page, list, download or event."""
    assert staff.get(PAGES).status_code == 200
    assert staff.get(f"{PAGES}add/").status_code == 200
    answer = staff.post(f"{PAGES}add/", {**FORM, "issuer": corp.issuer})
    assert answer.status_code == 302, answer.content
    made = upstreams.everything()["work"]
    assert made.secret == SECRET
    assert made.options.mapping == {"name": "name", "nickname": "preferred_username"}
    page = staff.get(answer["Location"])
    assert made.callback in page.content.decode()
    assert b"stored, sealed" in page.content
    changed = {name: value for name, value in FORM.items() if name not in ("name", "secret", "button")}
    answer = staff.post(answer["Location"], {**changed, "issuer": corp.issuer, "label": "Works"})
    assert answer.status_code == 302
    now = upstreams.everything()["work"]
    assert (now.label, now.options.button, now.secret) == ("Works", False, SECRET)
    everywhere = [staff.get(path).content.decode() for path in (PAGES, answer["Location"], f"{PAGES}csv", f"{PAGES}json")]
    everywhere += [json.dumps(row.data) for row in EventRecord.objects.all()]
    for text in everywhere:
        assert SECRET not in text
        assert now.secret_sealed not in text
    by = EventRecord.objects.filter(name="upstream.updated").get()
    assert by.by == User.objects.get(email="grace@example.org").pk


def test_the_staff_console_says_what_is_wrong(staff: Client, corp: FakeUpstream):
    answer = staff.post(f"{PAGES}add/", {**FORM, "issuer": "ftp://x", "name": "Bad Name"})
    assert answer.status_code == 200
    assert b"Nothing was saved" in answer.content
    answer = staff.post(f"{PAGES}add/", {**FORM, "issuer": corp.issuer, "name": "corp"})
    assert b"Nothing was saved" in answer.content
    assert UpstreamRow.objects.count() == 1


def test_the_staff_console_tests_and_takes_away(staff: Client, corp: FakeUpstream):
    row = UpstreamRow.objects.get()
    assert b"does not work" not in staff.get(f"{PAGES}{row.pk}/test/").content
    page = staff.post(f"{PAGES}{row.pk}/test/").content.decode()
    assert "client id and secret are accepted" in page
    assert "0 linked accounts" in staff.get(f"{PAGES}{row.pk}/delete/").content.decode()
    assert staff.post(f"{PAGES}{row.pk}/delete/").status_code == 302
    assert not UpstreamRow.objects.exists()


def test_a_secret_is_not_told_to_another_issuer(staff: Client, corp: FakeUpstream, monkeypatch: pytest.MonkeyPatch):
    """Who may configure providers may not read their secrets, by sending them elsewhere either."""
    row = UpstreamRow.objects.get()
    other = {**FORM, "issuer": "https://evil.example", "secret": ""}
    answer = staff.post(f"{PAGES}{row.pk}/", other)
    assert answer.status_code == 200
    assert b"Must be given again when the issuer changes" in answer.content
    with pytest.raises(CommandError, match="given again"):
        run(monkeypatch, "update", "corp", "--issuer", "https://evil.example")
    assert upstreams.everything()["corp"].issuer == corp.issuer
    assert staff.post(f"{PAGES}{row.pk}/", {**other, "secret": "a new one"}).status_code == 302
    assert upstreams.everything()["corp"].secret == "a new one"


def test_it_is_for_staff_only(corp: FakeUpstream):
    person = Client()
    person.force_login(make_person())
    for path in (PAGES, f"{PAGES}add/", f"{PAGES}{UpstreamRow.objects.get().pk}/"):
        assert person.get(path).status_code == 404
