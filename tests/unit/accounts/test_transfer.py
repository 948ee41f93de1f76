"""`manage.py user import|export|erase`: dry, repeated, cut off, hostile."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from idp.accounts import erasure
from idp.accounts.models import User
from tests.support.factories import PASSWORD, make_person
from tests.unit.accounts.test_hashers import FIREBASE, KNOWN

pytestmark = pytest.mark.django_db
SHA512 = KNOWN["sha512crypt of openssl passwd -6"][0]


@pytest.fixture
def run(capsys, tmp_path):
    def call(name, *arguments, rows=None, text=None):
        path = tmp_path / "people"
        if rows is not None:
            text = "".join(json.dumps(row) + "\n" for row in rows)
        if text is not None:
            path.write_text(text, encoding="utf-8")
        failed = ""
        try:
            call_command("user", name, *(str(path) if argument == "FILE" else argument for argument in arguments), "--json")
        except CommandError as error:
            failed = str(error)
        out = capsys.readouterr().out
        return (json.loads(out) if out else {}), failed

    return call


def people():
    sub = str(uuid4())
    return sub, [
        {"sub": sub, "email": "Ada@Example.org", "email_verified": True, "password_hash": SHA512, "given_name": "Ada", "locale": "en-GB"},
        {"email": "bob@example.org", "email_verified": False, "created_at": "2020-01-02T03:04:05Z"},
        {"phone": "+49 151 23456789", "phone_verified": True, "disabled": True},
    ]


def test_rows_become_people_who_sign_in_with_their_old_password(run):
    sub, rows = people()
    answer, failed = run("import", "FILE", "--format", "jsonl", rows=rows)
    assert (answer["created"], answer["existing"], answer["refused"], failed) == (3, 0, 0, "")
    ada = User.objects.get(email="ada@example.org")
    assert (str(ada.pk), ada.email_verified, ada.claims["given_name"]) == (sub, True, "Ada")
    assert Client().post("/login", {"login": "ada@example.org", "password": PASSWORD})["Location"] == "/account"
    bob = User.objects.get(email="bob@example.org")
    assert (bob.email_verified, bob.has_usable_password(), bob.date_joined.year, bob.unverified_until) == (False, False, 2020, None)
    phone = User.objects.get(phone="+4915123456789")
    assert (phone.phone_verified, phone.is_active) == (True, False)


def test_dry_it_writes_nothing_and_says_the_same(run):
    _sub, rows = people()
    answer, failed = run("import", "FILE", "--format", "jsonl", "--dry-run", rows=[*rows, {"email": "nonsense"}])
    assert (answer["created"], answer["refused"], answer["dry_run"]) == (3, 1, True)
    assert "1 rows were refused" in failed
    assert User.objects.count() == 0


def test_repeated_it_goes_on_and_changes_nobody(run, monkeypatch):
    """Cut off in the middle: what was done stays, the rest follows; what a person changed meanwhile stays too."""
    _sub, rows = people()
    run("import", "FILE", "--format", "jsonl", rows=rows[:2])
    ada = User.objects.get(email="ada@example.org")
    User.objects.filter(pk=ada.pk).update(claims={"given_name": "Augusta"})
    answer, _failed = run("import", "FILE", "--format", "jsonl", rows=rows)
    assert (answer["created"], answer["existing"]) == (1, 2)
    ada.refresh_from_db()
    assert ada.claims == {"given_name": "Augusta"}


def test_csv_with_a_line_of_names(run):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["email", "email_verified", "password_hash", "name"])
    writer.writeheader()
    writer.writerow({"email": "ada@example.org", "email_verified": "true", "password_hash": SHA512, "name": 'Ada, of "London"'})
    writer.writerow({"email": "bob@example.org", "email_verified": "", "password_hash": "", "name": ""})
    answer, failed = run("import", "FILE", "--format", "csv", text=text.getvalue())
    assert (answer["created"], failed) == (2, "")
    assert User.objects.get(email="ada@example.org").claims["name"] == 'Ada, of "London"'


def test_a_firebase_export(run, settings):
    settings.IDP = settings.IDP.model_copy(update={"firebase_scrypt": type(settings.IDP.firebase_scrypt)(FIREBASE)})
    export = KNOWN["Firebase's published example"][0]
    one = {
        "localId": "x",
        "email": "user1@example.org",
        "emailVerified": True,
        "passwordHash": export["hash"],
        "salt": export["salt"],
        "displayName": "One",
    }
    answer, _failed = run(
        "import", "FILE", "--format", "firebase", text=json.dumps({"users": [one, {"localId": "y", "phoneNumber": "+4915123456789"}, 5]})
    )
    assert (answer["created"], answer["refused"]) == (2, 1)
    assert Client().post("/login", {"login": "user1@example.org", "password": "user1password"}).status_code == 302


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"email": "ada@ex@mple..org"}, "email"), ({"email": 5}, "email"), ({}, "neither"), ({"email": "a@example.org", "sub": "x"}, "sub"),
        ({"email": "a@example.org", "password_hash": "secret-in-clear"}, "password_hash"), ({"email": "a@example.org", "email_verified": "perhaps"}, "email_verified"),
        ({"email": "a@example.org", "shoe_size": 43}, "shoe_size"), ({"email": "a@example.org", "created_at": "yesterday"}, "created_at"),
        ({"phone": "+49 30 123456"}, "phone"), ([], "object"), (None, "object"), ({"email": "a@example.org", "locale": "no locale"}, "locale"),
        ({"email": "x" * 5000}, "email"), ({"email": "a\x00@example.org"}, "email"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_taken_says_why_and_repeats_nothing(run, row, reason):
    answer, failed = run("import", "FILE", "--format", "jsonl", rows=[row])
    assert answer["refused"] == 1
    assert reason in str(answer["reasons"][0]["reason"])
    assert "secret-in-clear" not in json.dumps(answer) + failed
    assert User.objects.count() == 0


def test_rows_that_contradict_what_is_here(run):
    ada, bob = make_person(), make_person(email="bob@example.org")
    gone = make_person(email="gone@example.org")
    sub = str(gone.pk)
    erasure.erase(gone)
    answer, _failed = run(
        "import", "FILE", "--format", "jsonl",
        rows=[{"email": "ada@example.org", "sub": str(bob.pk)}, {"email": "gone@example.org", "sub": sub}, {"email": "ada@example.org", "sub": str(ada.pk)}],
    )  # fmt: skip
    assert (answer["refused"], answer["existing"]) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("csv", "name,age\nx,5\n"), ("csv", ""), ("firebase", "[]"), ("firebase", "{"), ("csv", 'email\n"a'), ("jsonl", "[" * 100_000)],
)
def test_a_file_of_another_form(run, kind, text):
    answer, failed = run("import", "FILE", "--format", kind, text=text)
    assert failed or not answer["created"]
    assert User.objects.count() == 0


def test_a_file_that_is_not_there_or_not_text(run, tmp_path):
    assert "cannot be read" in run("import", str(tmp_path / "nothing"), "--format", "jsonl")[1]
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in run("import", str(tmp_path / "bytes"), "--format", "jsonl")[1]


def test_what_was_exported_can_be_imported_elsewhere(run, tmp_path):
    _sub, rows = people()
    run("import", "FILE", "--format", "jsonl", rows=rows)
    User.objects.filter(email="ada@example.org").update(short_password=True)
    target = str(tmp_path / "out")
    answer, _failed = run("export", target, "--with-password-hashes")
    assert answer["exported"] == 3
    assert stat.S_IMODE(Path(target).stat().st_mode) == 0o600
    before = list(
        User.objects.order_by("pk").values("pk", "email", "phone", "password", "claims", "is_active", "date_joined", "short_password")
    )
    User.objects.all().delete()
    run("import", target, "--format", "jsonl")
    after = list(
        User.objects.order_by("pk").values("pk", "email", "phone", "password", "claims", "is_active", "date_joined", "short_password")
    )
    assert [
        {**row, "password": row["password"][:1] == "!" or row["password"], "date_joined": row["date_joined"].replace(microsecond=0)}
        for row in before
    ] == [
        {**row, "password": row["password"][:1] == "!" or row["password"], "date_joined": row["date_joined"].replace(microsecond=0)}
        for row in after
    ]
    assert "cannot be written" in run("export", target)[1]
    run("export", target + "2")
    assert "password_hash" not in Path(target + "2").read_text(encoding="utf-8")


def test_erasing_needs_a_yes(run):
    person = make_person()
    assert "--yes" in run("erase", "ada@example.org")[1]
    answer, failed = run("erase", "ada@example.org", "--yes")
    assert (answer["sub"], failed) == (str(person.pk), "")
    assert not User.objects.exists()
    assert "no such person" in run("erase", "ada@example.org", "--yes")[1]
