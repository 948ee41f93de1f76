"""Text messages: to the inbox, to any gateway, and never more than the budgets allow."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from idp.accounts import sms
from idp.events.models import Delivery
from idp.kernel import clock
from idp.notifications import delivery, inbox
from idp.notifications.receivers import NotNow, Refused
from idp.notifications.receivers import sms as receiver
from idp.settings import safety

NUMBER = "+4915123456789"


@pytest.fixture
def configured(settings, tmp_path):
    def change(**values):
        if "sms_url" in values:
            values["sms_url"] = type(settings.IDP.sms_url)(values["sms_url"])
        settings.IDP = settings.IDP.model_copy(update={"data_dir": tmp_path, **values})

    change()
    return change


@pytest.fixture
def gateway():
    """A gateway on this machine: what it got, and what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    got, answers = [], []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", got, answers
    server.shutdown()
    server.server_close()
    thread.join()


def test_in_development_it_lands_in_the_inbox(configured):
    receiver.deliver(uuid.uuid4(), {"to": NUMBER, "text": "Grüße 123456"})
    [message] = inbox.messages(NUMBER)
    assert (message["kind"], message["to"], str(message["text"]).strip()) == ("sms", NUMBER, "Grüße 123456")


def test_a_gateway_gets_json_with_basic_or_bearer(configured, gateway):
    host, got, _answers = gateway
    message = uuid.uuid4()
    for login in ("us%40er:pa%3Ass", ":tok-en"):
        configured(sms_url=f"http://{login}@{host}/send?x=1", outbound_allow=(host,))
        receiver.deliver(message, {"to": NUMBER, "text": "Grüße"})
    (path, headers, body), (_path, bearer, _body) = got
    assert path == "/send?x=1"
    assert json.loads(body) == {"to": NUMBER, "text": "Grüße"}
    assert headers["authorization"] == "Basic " + base64.b64encode(b"us@er:pa:ss").decode()
    assert bearer["authorization"] == "Bearer tok-en"
    assert headers["idempotency-key"] == str(message)


def test_a_gateway_gets_a_form_with_its_own_names(configured, gateway):
    host, got, _answers = gateway
    configured(
        sms_url=f"http://{host}/",
        outbound_allow=(host,),
        sms_format="form",
        sms_fields='{"To": "$to", "From": "K $nobody", "Body": "$text"}',
    )
    receiver.deliver(uuid.uuid4(), {"to": NUMBER, "text": "a&b=c"})
    assert got[0][2] == b"To=%2B4915123456789&From=K+%24nobody&Body=a%26b%3Dc"


@pytest.mark.parametrize(
    ("status", "outcome"), [(422, Refused), (400, Refused), (401, NotNow), (429, NotNow), (503, NotNow), (302, NotNow)]
)
def test_what_the_gateway_answers(configured, gateway, status, outcome):
    host, _got, answers = gateway
    configured(sms_url=f"http://user:secret@{host}/", outbound_allow=(host,))
    answers.append(status)
    with pytest.raises(outcome) as raised:
        receiver.deliver(uuid.uuid4(), {"to": NUMBER, "text": "hello"})
    assert "secret" not in raised.value.reason


def test_a_private_address_is_not_contacted_unless_allowed(configured):
    configured(sms_url="https://10.0.0.1/send", outbound_allow=())
    with pytest.raises(NotNow):
        receiver.deliver(uuid.uuid4(), {"to": NUMBER, "text": "hello"})


@pytest.mark.parametrize("payload", [{}, {"to": NUMBER}, {"to": 5, "text": "x"}])
def test_what_is_no_message_is_given_up(configured, payload):
    with pytest.raises(Refused):
        receiver.deliver(uuid.uuid4(), payload)


@pytest.mark.django_db
class TestBudgets:
    def code(self, to=NUMBER, **values):
        return sms.send_code(to=to, code="123456", minutes=15, expires_at=clock.now().replace(year=2100), **values)

    def test_a_message_goes_through_the_outbox_to_the_inbox(self, configured):
        assert self.code()
        delivery.deliver_due()
        [message] = inbox.messages(NUMBER)
        assert str(message["text"]).splitlines()[-1] == "@localhost #123456"  # the form that phones fill in for this site only

    def test_one_number_and_one_person(self, configured):
        configured(sms_per_person_per_hour=2)
        person = uuid.uuid4()
        assert [self.code(person=person) for _ in range(3)] == [True, True, False]
        assert not self.code("+4915123456780", person=person)  # the same person, another number
        assert self.code("+4915123456780", person=uuid.uuid4())

    def test_numbers_that_begin_alike_and_the_installation(self, configured, caplog):
        configured(sms_per_prefix_per_hour=2, sms_per_hour=3)
        assert [self.code(f"+49151234567{n}") for n in (80, 81, 82)] == [True, True, False]
        assert [self.code(f"+43664123456{n}") for n in (1, 2)] == [True, False]
        assert "budget" in caplog.text
        assert "4915" not in caplog.text

    def test_only_some_countries(self, configured):
        configured(sms_prefixes=("+49", "+43"))
        assert self.code()
        assert not self.code("+41791234567")

    def test_a_decoy_is_never_sent_and_takes_from_no_budget(self, configured):
        configured(sms_per_hour=1)
        assert self.code(decoy=True)
        assert self.code()
        delivery.deliver_due()
        assert len(inbox.messages()) == 1
        assert set(Delivery.objects.values_list("state", flat=True)) == {"done", "expired"}

    def test_without_a_gateway_there_are_none(self, configured):
        configured(sms_url="")
        assert not sms.available()
        assert not self.code()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"sms_url": "ftp://example.org"}, "IDP_SMS_URL"),
        ({"sms_fields": "[]"}, "IDP_SMS_FIELDS"),
        ({"sms_fields": "{"}, "IDP_SMS_FIELDS"),
        ({"sms_prefixes": ("49",)}, "IDP_SMS_PREFIXES"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(configured, settings, values, name):
    configured(**values)
    assert any(problem.startswith(name) for problem in safety.problems(settings.IDP, {}))
