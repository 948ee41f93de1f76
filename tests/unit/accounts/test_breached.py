"""The offline list of breached passwords: made from the public form, mapped, bisected."""

from __future__ import annotations

import gzip
import hashlib
import io
import json

import pytest
from django.core.management import CommandError, call_command

from idp.accounts import breached, passwords

pytestmark = pytest.mark.django_db  # commands are recorded
PUBLIC = ["a pass phrase that leaked", "another one that leaked too", "a\u0301 leaked pass phrase", "correct horse battery staple"]


def listed(*words, count=3):
    return b"".join(
        f"{hashlib.sha1(word.encode()).hexdigest().upper()}:{count}\r\n".encode()
        for word in sorted(words, key=lambda word: hashlib.sha1(word.encode()).digest())
    )


@pytest.fixture
def file(settings, tmp_path):
    (tmp_path / "list.txt").write_bytes(listed(*PUBLIC, *(f"filler {number}" for number in range(500))))
    call_command("breached_passwords", "build", str(tmp_path / "list.txt"), str(tmp_path / "breached"))
    settings.IDP = settings.IDP.model_copy(update={"breached_passwords_file": tmp_path / "breached"})
    return tmp_path / "breached"


def test_what_leaked_is_refused_at_every_length(file):
    """PW-15: on the whole password, as typed and as normalised; nothing else is refused."""
    for word in PUBLIC:
        assert breached.contains(word)
        assert passwords.problems(word) == ["This password has become public in a data breach. Choose another one."]
    for number in range(500):
        assert breached.contains(f"filler {number}")
        assert not breached.contains(f"filler {number} and more")
    assert passwords.problems("an unheard-of pass phrase") == []
    assert passwords.problems("correct horse battery staple!") == []


def test_eight_bytes_of_each(file):
    assert file.stat().st_size == len(breached.HEADER) + 504 * breached.WIDTH


def test_the_ends_and_the_empty_file(tmp_path):
    for words in ([], ["one"], ["one", "two"], ["one", "two", "three"]):
        made = io.BytesIO()
        assert breached.build(io.BytesIO(listed(*words)), made) == len(words)
        (tmp_path / "made").write_bytes(made.getvalue())
        if not words:
            continue
        opened = breached.File(tmp_path / "made")
        for word in words:
            assert hashlib.sha1(word.encode()).digest()[:8] in opened
        assert bytes(8) not in opened
        assert b"\xff" * 8 not in opened


def test_rare_ones_can_be_left_out(tmp_path):
    assert breached.build(io.BytesIO(listed("one", "two")), io.BytesIO(), fewest=4) == 0


@pytest.mark.parametrize("content", [b"hello\n", b"a" * 40 + b":x\n", b"g" * 40 + b":1\n", b"b" * 40 + b":1\n" + b"a" * 40 + b":1\n"])
def test_what_is_no_list_is_refused_with_its_line_and_leaves_no_file(content, tmp_path):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(CommandError, match="line"):
        call_command("breached_passwords", "build", str(tmp_path / "list"), str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["list"]


def test_the_command_reads_gzip_and_says_what_it_did(tmp_path, capsys):
    with gzip.open(tmp_path / "list.gz", "wb") as packed:
        packed.write(listed("one", "two"))
    call_command("breached_passwords", "build", str(tmp_path / "list.gz"), str(tmp_path / "out"), "--json")
    assert json.loads(capsys.readouterr().out)["entries"] == 2
    (tmp_path / "cut.gz").write_bytes((tmp_path / "list.gz").read_bytes()[:-9])
    for source in ("cut.gz", "nothing"):
        with pytest.raises(CommandError):
            call_command("breached_passwords", "build", str(tmp_path / source), str(tmp_path / "out2"))


def test_a_file_of_something_else_is_no_list(tmp_path):
    for content in (b"", b"kairos.breach.1", breached.HEADER + b"123"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(breached.Malformed):
            breached.File(tmp_path / "x")
