"""`manage.py user …`: the operator's interface (text or one JSON document, exit code, one line on standard error, secrets on stdin)."""

from __future__ import annotations

import io
import json
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from idp.accounts import erasure
from idp.accounts.models import User
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(monkeypatch):
    def run(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        out = io.StringIO()
        call_command("user", *arguments, stdout=out)
        return out.getvalue()

    return run


@pytest.fixture
def claims(tmp_path):
    def write(content):
        path = tmp_path / "claims.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_create_answers_with_the_sub(run, claims):
    file = claims(
        {
            "name": "Ana",
            "address": {"locality": "Graz"},
            "phone_number": "+43 316 1234",
            "phone_number_verified": True,
            "updated_at": 1735689600,
        }
    )
    answer = json.loads(
        run("create", "--email", "Ana@Example.org", "--password-stdin", "--verified", "--claims", file, "--json", stdin=f"{PASSWORD}\n")
    )
    person = User.objects.get()
    assert UUID(answer["sub"]) == person.pk
    assert answer["email"] == "ana@example.org"
    assert answer["email_verified"] is True
    assert answer["claims"] == {
        "name": "Ana",
        "address": {"locality": "Graz"},
        "phone_number": "+43 316 1234",
        "phone_number_verified": True,
        "updated_at": 1735689600,
    }
    assert person.check_password(PASSWORD)
    assert PASSWORD not in json.dumps(answer)
    assert set(EventRecord.objects.values_list("name", flat=True)) == {
        "operator.command_run",
        "account.created",
        "account.email_verified",
        "account.verified",
    }


def test_without_a_password_none_will_ever_match(run):
    run("create", "--email", "ana@example.org")
    person = User.objects.get()
    assert not person.has_usable_password()
    assert not person.email_verified
    assert not person.check_password("")


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (["--email", "ana"], "", "Enter an email address"),
        (["--phone", "+49 30 1"], "", "Enter a mobile number"),
        (["--email", "ana@example.org", "--password-stdin"], "", "no password on standard input"),
        (["--email", "ana@example.org", "--password-stdin"], "short\n", "at least 15 characters"),
        (["--email", "ana@example.org", "--password-stdin"], "x" * 200, "at most 128"),
        (["--email", "ana@example.org", "--password-stdin"], "two\nlines of a password", "more than one line"),
        (["--email", "ana@example.org", "--claims", "/nonexistent"], "", "No such file"),
        ([], "", "--email"),
    ],
)
def test_refusals_say_why_in_one_line_and_do_nothing(run, arguments, stdin, reason):
    with pytest.raises(CommandError, match=reason) as refused:
        run("create", *arguments, stdin=stdin)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode != 0
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "[" * 100_000,
        "\x00",
        {"email_verified": True},
        {"sub": "1"},
        {"email": "other@example.org"},
        {"birthdate": "soon"},
        {"nonsense": 1},
    ],
)
def test_claims_that_cannot_be_taken(run, claims, content):
    with pytest.raises(CommandError, match="--claims: "):
        run("create", "--email", "ana@example.org", "--claims", claims(content))
    assert not User.objects.exists()


def test_an_address_has_one_account(run):
    run("create", "--email", "ana@example.org")
    with pytest.raises(CommandError, match="already a person"):
        run("create", "--email", "ANA@example.org")


def test_life_of_an_account(run):
    sub = json.loads(run("create", "--email", "ana@example.org", "--verified", "--json"))["sub"]
    assert json.loads(run("show", "Ana@Example.org", "--json"))["sub"] == sub
    assert json.loads(run("show", sub, "--json"))["state"] == "ok"
    assert json.loads(run("disable", sub, "--json"))["state"] == "disabled"
    assert json.loads(run("disable", sub, "--json"))["state"] == "disabled"  # again changes nothing
    assert json.loads(run("enable", "ana@example.org", "--json"))["state"] == "ok"
    run("set-password", sub, stdin=PASSWORD)
    person = User.objects.get()
    assert person.check_password(PASSWORD)
    assert person.credential_epoch == 2
    assert ["was changed" in mail.subject for mail in mails("ana@example.org")] == [True]
    names = list(EventRecord.objects.exclude(name="operator.command_run").order_by("id").values_list("name", flat=True))
    assert names[:3] == ["account.created", "account.email_verified", "account.verified"]
    assert names[3:] == ["account.disabled", "account.enabled", "account.password_changed"]


def test_who_is_leaving_is_not_called_disabled_while_they_may_come_back(run):
    run("create", "--email", "ana@example.org", "--password-stdin", "--verified", stdin=PASSWORD)
    erasure.ask(User.objects.get())
    with pytest.raises(CommandError, match="may change their mind"):
        run("disable", "ana@example.org")
    run("enable", "ana@example.org")
    run("disable", "ana@example.org")
    assert not erasure.keep(User.objects.get())


@pytest.mark.parametrize("who", ["nobody@example.org", "00000000-0000-0000-0000-000000000000", "", "\x00", "x" * 5000])
def test_nobody_of_that_name(run, who):
    for command in ("show", "set-password", "disable", "enable"):
        with pytest.raises(CommandError, match="There is no such person"):
            run(command, who, stdin=PASSWORD)


def test_text_for_people(run):
    run("create", "--email", "ana@example.org", "--verified")
    text = run("show", "ana@example.org")
    assert "email: ana@example.org" in text
    assert "state: ok" in text


def test_a_password_is_no_argument(run):
    with pytest.raises(CommandError, match="unrecognized arguments"):
        run("create", "--email", "ana@example.org", "--password", PASSWORD)


def test_a_person_may_have_a_number_only(run):
    answer = json.loads(run("create", "--phone", "+49 151 23456789", "--verified", "--json"))
    assert (answer["phone"], answer["phone_verified"], answer["email"], answer["state"]) == ("+4915123456789", True, None, "ok")
    assert json.loads(run("show", "+4915123456789", "--json"))["sub"] == answer["sub"]
