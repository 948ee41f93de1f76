"""Mail against a real SMTP server: what arrives, and what each answer of the server leads to (FT-08, EM-17)."""

from __future__ import annotations

import email
import email.policy
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from idp.events import outbox
from idp.events.models import Delivery
from idp.notifications import delivery
from idp.notifications.receivers import NotNow, Refused, mail

CANARY = "canary-918273"
PAYLOAD = {"to": "ada@example.org", "subject": "Prüfe deine Adresse", "text": f"Code: {CANARY}\n", "html": f"<p>Code: <b>{CANARY}</b></p>"}
pytestmark = pytest.mark.django_db
STEPS = {"sender": "MAIL", "recipient": "RCPT", "content": "DATA"}


class Handler:
    """Takes mail; answers a step of SMTP as told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: dict[str, list[str]] = {}
        self.seconds = 0.0

    def _answer(self, step: str) -> str | None:
        answers = self.answers.get(step)
        return answers.pop(0) if answers else None

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        return self._answer("sender") or "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if answer := self._answer("recipient"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if answer := self._answer("content"):
            return answer
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def use(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "idp.notifications.receivers.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "", ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False


@pytest.fixture
def smtp(settings: Any) -> Iterator[Handler]:
    handler = Handler()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    use(settings, controller.port)
    yield handler
    controller.stop()


@pytest.fixture
def row(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivery]:
    monkeypatch.setattr(outbox, "publish_wake_up", lambda: None)
    outbox.enqueue(receiver="mail", payload=PAYLOAD)
    yield Delivery.objects.get()
    outbox._waker.flush(5)


def run(row: Delivery) -> Delivery:
    """Make the row due, deliver, read the row again."""
    Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING).update(due_at=row.created_at)
    delivery.deliver_due()
    row.refresh_from_db()
    return row


def test_it_arrives_with_text_and_html_under_a_fixed_id(smtp: Handler, row: Delivery, settings: Any) -> None:
    assert run(row).state == Delivery.State.DONE
    (message,) = smtp.mails
    assert (message["To"], message["Subject"], message["From"]) == ("ada@example.org", PAYLOAD["subject"], settings.DEFAULT_FROM_EMAIL)
    assert message["Message-ID"] == f"<{row.pk.hex}@localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert CANARY in parts["text/plain"]
    assert CANARY in parts["text/html"]


def test_greylisting_then_success_is_one_mail(smtp: Handler, row: Delivery) -> None:
    smtp.answers["recipient"] = ["450 4.2.0 Greylisted, try again"]
    assert run(row).state == Delivery.State.WAITING
    assert (row.attempts, row.last_error) == (1, "recipient deferred (450)")
    assert run(row).state == Delivery.State.DONE
    assert len(smtp.mails) == 1


@pytest.mark.parametrize(
    ("step", "answer", "state", "reason"),
    [
        ("recipient", "550 5.1.1 No such user", "dead", "recipient refused (550)"),
        ("recipient", "421 4.3.2 Going down", "waiting", "recipient deferred (421)"),
        ("content", "554 5.7.1 Looks like spam", "dead", "content refused (554)"),
        ("content", "452 4.3.1 Disk full", "waiting", "content deferred (452)"),
        ("sender", "530 5.7.0 Authentication required", "waiting", "smtp server answered 530"),
    ],
)
def test_answers_of_the_server(smtp: Handler, row: Delivery, step: str, answer: str, state: str, reason: str) -> None:
    smtp.answers[step] = [answer]
    run(row)
    assert (row.state, row.last_error) == (state, reason)


@pytest.mark.parametrize("to", ["ada@example.org\nBcc: all@example.org", ""])
def test_what_is_no_address_is_refused_before_anything_is_sent(smtp: Handler, to: str) -> None:
    with pytest.raises(Refused):
        mail.deliver(uuid.uuid4(), {**PAYLOAD, "to": to})
    assert smtp.mails == []


def test_nobody_listens(settings: Any, row: Delivery) -> None:
    use(settings, free_port())
    run(row)
    assert (row.state, row.last_error) == ("waiting", "smtp connection: ConnectionRefusedError")


@pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
def test_a_slow_server_costs_its_time_out_once(settings: Any, drip: bool) -> None:
    settings.EMAIL_TIMEOUT = 1
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                for _ in range(20):  # six seconds: without the time-out the test fails, it does not hang
                    if stop.wait(0.3):
                        return
                    try:
                        client.sendall(b"2" if drip else b"")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        use(settings, server.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(NotNow) as outcome:
            mail.deliver(uuid.uuid4(), PAYLOAD)
        stop.set()
        thread.join(5)
    assert 0.9 < time.monotonic() - began < 4
    assert outcome.value.unreachable


def test_a_credential_never_leaves(settings: Any, row: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} is wrong")

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port(), authenticator=refuse, auth_require_tls=False)
    controller.start()
    use(settings, controller.port)
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "kairos", CANARY
    caplog.set_level(logging.DEBUG)
    try:
        with pytest.raises(NotNow) as outcome:
            mail.deliver(row.pk, PAYLOAD)
        run(row)
    finally:
        controller.stop()
    assert (row.state, row.last_error) == ("waiting", "smtp server answered 535")
    assert outcome.value.__suppress_context__
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("idp"))
    assert ours
    assert CANARY not in ours


def test_one_mailbox_gets_so_many_mails_an_hour(smtp: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over waits: nobody can have a mailbox filled, by whatever page."""
    monkeypatch.setattr(mail, "PER_HOUR", 2)
    for to in ("ada@example.org", "Ada@Example.org"):
        mail.deliver(uuid.uuid4(), {**PAYLOAD, "to": to})
    with pytest.raises(NotNow) as outcome:
        mail.deliver(uuid.uuid4(), PAYLOAD)
    assert not outcome.value.unreachable
    assert 0 < outcome.value.after <= 3600
    mail.deliver(uuid.uuid4(), {**PAYLOAD, "to": "bob@example.org"})
    assert len(smtp.mails) == 3
