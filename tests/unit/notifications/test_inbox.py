"""The development inbox: what pages and scripts read."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from idp.notifications import inbox
from idp.notifications.receivers import mail

pytestmark = pytest.mark.django_db  # the limit of mails to one mailbox is counted


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.IDP = settings.IDP.model_copy(update={"data_dir": tmp_path})
    settings.EMAIL_BACKEND = "idp.notifications.receivers.inbox.EmailBackend"
    return tmp_path / "inbox"


def send(to: str, subject: str = "Hello", text: str = "Hello", html: str = "") -> None:
    mail.deliver(uuid.uuid4(), {"to": to, "subject": subject, "text": text, "html": html})


def test_an_inbox_that_never_got_mail_is_empty(folder: Path) -> None:
    assert inbox.messages() == []
    assert inbox.messages("ada@example.org") == []


def test_a_mail_is_read_as_it_was_written(folder: Path) -> None:
    text = "Grüße!\nYour code: 123456\nOr open https://id.example.org/verify?a=1&b=2.\n"
    html = '<p>Grüße! <a href="https://id.example.org/verify?a=1&amp;b=2">Verify</a> <a href="https://id.example.org/help">Help</a></p>'
    send("Ada@example.org", "Prüfe deine Adresse ✉", text, html)
    (message,) = inbox.messages("ada@EXAMPLE.org")
    assert (message["to"], message["subject"]) == ("Ada@example.org", "Prüfe deine Adresse ✉")
    assert message["text"] == text
    assert str(message["html"]).strip() == html
    assert message["links"] == ["https://id.example.org/verify?a=1&b=2", "https://id.example.org/help"]
    assert str(message["date"]).startswith("20")


def test_the_newest_comes_first_and_only_for_whom_it_is(folder: Path) -> None:
    for number in range(3):
        send("ada@example.org", str(number))
        send("bob@example.org", str(number))
    assert [message["subject"] for message in inbox.messages("ada@example.org")] == ["2", "1", "0"]
    assert len(inbox.messages()) == 6


def test_it_keeps_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "KEPT", 5)
    for number in range(9):
        send("ada@example.org", str(number))
    assert [message["subject"] for message in inbox.messages()] == ["8", "7", "6", "5", "4"]
    assert len(list(folder.iterdir())) == 5, "no temporary file stays behind"


def test_only_the_owner_of_the_process_can_read_it(folder: Path) -> None:
    send("ada@example.org")
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
