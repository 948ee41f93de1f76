"""Shared Signals: SSF 1.0 transmitter, RFC 8417 tokens, RFC 8935 push, RFC 8936 poll, CAEP and RISC events."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client as Browser

from idp.accounts import people
from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.events.models import Delivery, EventRecord, Lane, Outage
from idp.kernel import jose
from idp.kernel.clock import now
from idp.notifications import delivery as deliveries
from idp.oidc.clients import registry
from idp.oidc.keys.ring import ring
from idp.ssf import signals, streams
from idp.ssf.models import Stream, WaitingToken
from idp.ssf.receiver import RECEIVER
from tests.support.clauses import case, clause
from tests.support.factories import make_person

pytestmark = pytest.mark.django_db

ISSUER = "http://localhost:8000"
PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"


@pytest.fixture(autouse=True)
def keys(signing_keys) -> None:
    """RS256 signs tokens."""


@dataclass
class Receiver:
    """A service that was given the scopes of Shared Signals, as it sees the provider."""

    browser: Browser
    client_id: str
    token: str

    def call(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        body = document if isinstance(document, str | bytes) else json.dumps(document) if document is not None else ""
        sent = {"HTTP_AUTHORIZATION": f"Bearer {self.token}"} | headers
        return self.browser.generic(method, path, body, content_type="application/json", **sent)  # type: ignore[arg-type]

    def stream(self, *kinds: str, **members: Any) -> dict[str, Any]:
        answer = self.call("POST", "/ssf/streams", {"events_requested": list(kinds or signals.SUPPORTED), **members})
        assert answer.status_code == 201, answer.content
        document: dict[str, Any] = answer.json()
        return document

    def poll(self, stream: dict[str, Any], **document: Any) -> dict[str, dict[str, Any]]:
        answer = self.call("POST", urlsplit(stream["delivery"]["endpoint_url"]).path, {"returnImmediately": True, **document})
        assert answer.status_code == 200, answer.content
        return {jti: opened(token) for jti, token in answer.json()["sets"].items()}


def opened(token: str) -> dict[str, Any]:
    """The claims of a security event token that one of the published keys signed with RS256."""
    assert jose.header_of(token)["alg"] == "RS256"
    return jose.verify(token, ring().published, typ="secevent+jwt")


def receiver_with(scope: str, **metadata: Any) -> Receiver:
    client, secret = registry.create({"client_name": "SIEM", "scope": scope, **metadata}, type="service")
    return Receiver(Browser(), client.client_id, token_of(client.client_id, secret or ""))


def token_of(client_id: str, secret: str) -> str:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    answer = Browser().generic(
        "POST",
        "/token",
        "grant_type=client_credentials",
        content_type="application/x-www-form-urlencoded",
        HTTP_AUTHORIZATION=f"Basic {basic}",
    )
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


@pytest.fixture
def siem() -> Receiver:
    return receiver_with("ssf.manage ssf.read")


def told(record_name: str, *, person: User | None = None) -> None:
    """What the worker does with the newest event of this name, for every stream that wants it."""
    record = EventRecord.objects.filter(name=record_name).latest("id")
    for row in Delivery.objects.filter(event=record.pk, receiver="ssf"):
        assert not RECEIVER.compose(record, row)


# Metadata


@clause("SSF 1.0 7.1")
def test_the_metadata_document(client):
    answer = client.get("/.well-known/ssf-configuration")
    document = answer.json()
    assert (document["issuer"], document["jwks_uri"], document["spec_version"]) == (ISSUER, f"{ISSUER}/jwks", "1_0")
    assert document["delivery_methods_supported"] == [PUSH, POLL]
    assert document["authorization_schemes"] == [{"spec_urn": "urn:ietf:rfc:6749"}]
    assert document["default_subjects"] == "ALL"
    for name in ("configuration", "status", "add_subject", "remove_subject", "verification"):
        assert document[f"{name}_endpoint"].startswith(f"{ISSUER}/ssf/")
    assert client.post("/.well-known/ssf-configuration").status_code == 405


# Who may


ENDPOINTS = [
    ("POST", "/ssf/streams"), ("GET", "/ssf/streams"), ("PATCH", "/ssf/streams"), ("PUT", "/ssf/streams"), ("DELETE", "/ssf/streams"),
    ("GET", "/ssf/status"), ("POST", "/ssf/status"), ("POST", "/ssf/subjects/add"), ("POST", "/ssf/subjects/remove"),
    ("POST", "/ssf/verify"), ("POST", "/ssf/streams/abc/poll"),
]  # fmt: skip


@clause("SSF 1.0 8.1.1", "RFC 6750 3.1")
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_no_endpoint_answers_without_a_token_of_the_scope(siem, method, path):
    nobody = siem.call(method, path, {}, HTTP_AUTHORIZATION="")
    assert (nobody.status_code, nobody["WWW-Authenticate"]) == (401, 'Bearer realm="ssf"')
    for wrong in ("Bearer x", f"Bearer {siem.token[:-8]}AAAAAAAA", "Basic eDp5"):
        assert siem.call(method, path, {}, HTTP_AUTHORIZATION=wrong).status_code == 401
    other = receiver_with("reports.read")
    refused = other.call(method, path, {})
    assert (refused.status_code, 'error="insufficient_scope"' in refused["WWW-Authenticate"]) == (403, True)


@clause("CAEP Interop 2.7.3")
def test_the_reading_scope_changes_nothing():
    reader = receiver_with("ssf.read")
    assert reader.call("GET", "/ssf/streams").json() == []
    for method, path in (("POST", "/ssf/streams"), ("POST", "/ssf/verify"), ("POST", "/ssf/status"), ("DELETE", "/ssf/streams")):
        assert reader.call(method, path, {}).status_code == 403


def test_who_registered_by_itself_gets_nothing_whatever_scope_it_named():
    client, secret = registry.create(
        {"client_name": "Stranger", "scope": "ssf.manage"}, type="service", registration_token_digest=b"x" * 32
    )
    stranger = Receiver(Browser(), client.client_id, token_of(client.client_id, secret or ""))
    assert stranger.call("GET", "/ssf/streams").status_code == 403


def test_a_revoked_token_and_a_client_that_is_off_get_nothing(siem):
    from idp.oidc.clients.registry import set_enabled
    from idp.oidc.models import Client
    from idp.oidc.revocation.denied import deny

    claims = jose.unverified_claims(siem.token)
    deny(claims["jti"], exp=claims["exp"])
    assert siem.call("GET", "/ssf/streams").status_code == 401
    other = receiver_with("ssf.manage")
    set_enabled(Client.objects.get(client_id=other.client_id), False)
    assert other.call("GET", "/ssf/streams").status_code == 401


def test_a_stream_is_seen_by_its_own_client_only(siem):
    stream = siem.stream()
    other = receiver_with("ssf.manage")
    assert other.call("GET", "/ssf/streams").json() == []
    where = f"?stream_id={stream['stream_id']}"
    assert other.call("GET", f"/ssf/streams{where}").status_code == 404
    assert other.call("DELETE", f"/ssf/streams{where}").status_code == 404
    assert other.call("GET", f"/ssf/status{where}").status_code == 404
    assert other.call("POST", f"/ssf/streams/{stream['stream_id']}/poll", {}).status_code == 404
    for path in ("/ssf/verify", "/ssf/subjects/add", "/ssf/status"):
        assert other.call("POST", path, {"stream_id": stream["stream_id"], "status": "paused"}).status_code == 404
    assert Stream.objects.get().status == "enabled"


# Configuration


@clause("SSF 1.0 8.1.1.1", "SSF 1.0 8.1.1.2", "SSF 1.0 8.1.1.5")
def test_a_stream_is_made_read_and_deleted(siem):
    asked = [signals.SESSION_REVOKED, "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change"]
    stream = siem.stream(*asked, description="SIEM")
    assert (stream["iss"], stream["aud"], stream["description"]) == (ISSUER, siem.client_id, "SIEM")
    assert (stream["events_requested"], stream["events_delivered"]) == (asked, [signals.SESSION_REVOKED])
    assert stream["delivery"] == {"method": POLL, "endpoint_url": f"{ISSUER}/ssf/streams/{stream['stream_id']}/poll"}
    where = f"/ssf/streams?stream_id={stream['stream_id']}"
    assert siem.call("GET", where).json() == stream
    assert siem.call("GET", "/ssf/streams").json() == [stream]
    assert siem.call("DELETE", where).status_code == 204
    assert siem.call("GET", where).status_code == 404
    assert siem.call("DELETE", where).status_code == 404
    names = list(EventRecord.objects.filter(name__startswith="ssf.").order_by("id").values_list("name", flat=True))
    assert names == ["ssf.stream_created", "ssf.stream_deleted"]


@clause("SSF 1.0 8.1.1.3", "SSF 1.0 8.1.1.4")
def test_an_update_keeps_what_it_does_not_name_and_a_replacement_does_not(siem):
    stream = siem.stream(signals.SESSION_REVOKED, description="SIEM")
    changed = siem.call("PATCH", "/ssf/streams", {"stream_id": stream["stream_id"], "events_requested": [signals.CREDENTIAL_CHANGE]})
    assert changed.status_code == 200
    assert (changed.json()["events_delivered"], changed.json()["description"]) == ([signals.CREDENTIAL_CHANGE], "SIEM")
    replaced = siem.call("PUT", "/ssf/streams", {"stream_id": stream["stream_id"], "events_requested": [signals.SESSION_REVOKED]})
    assert replaced.json()["events_delivered"] == [signals.SESSION_REVOKED]
    assert "description" not in replaced.json()
    whole = siem.call("PUT", "/ssf/streams", replaced.json())
    assert whole.json() == replaced.json()
    row = EventRecord.objects.filter(name="ssf.stream_updated").earliest("id")
    assert row.data["changes"]["events_requested"] == {"old": [signals.SESSION_REVOKED], "new": [signals.CREDENTIAL_CHANGE]}


BAD: list[Any] = [
    case("SSF 1.0 8.1.1.1", "not JSON", ";{ broken"),
    case("SSF 1.0 8.1.1.1", "no object", "[]"),
    case("SSF 1.0 8.1.1.1", "a member twice", '{"description": "a", "description": "b"}'),
    case("SSF 1.0 8.1.1.1", "events are no list", {"events_requested": "x"}),
    case("SSF 1.0 8.1.1.1", "an unknown way", {"delivery": {"method": "urn:x"}}),
    case("SSF 1.0 8.1.1.1", "a push to nowhere", {"delivery": {"method": PUSH}}),
    case("SSF 1.0 8.1.1.1", "a push into the house", {"delivery": {"method": PUSH, "endpoint_url": "https://127.0.0.1/x"}}),
    case("SSF 1.0 8.1.1.1", "a push to metadata", {"delivery": {"method": PUSH, "endpoint_url": "http://169.254.169.254/"}}),
    case("SSF 1.0 8.1.1.1", "a push to a file", {"delivery": {"method": PUSH, "endpoint_url": "file:///etc/passwd"}}),
    case(
        "SSF 1.0 8.1.1.1",
        "two headers in one",
        {"delivery": {"method": PUSH, "endpoint_url": "https://93.184.215.14/x", "authorization_header": "a\r\nx: y"}},
    ),
    case("SSF 1.0 8.1.1.1", "another issuer", {"iss": "https://evil.example"}),
    case("SSF 1.0 8.1.1.1", "another audience", {"aud": "somebody-else"}),
    case("SSF 1.0 8.1.1.1", "a long text", {"description": "x" * 301}),
]


@pytest.mark.parametrize("document", BAD)
def test_what_cannot_be_is_refused_and_changes_nothing(siem, document):
    stream = siem.stream(signals.SESSION_REVOKED)
    assert siem.call("POST", "/ssf/streams", document).status_code == 400
    for method in ("PATCH", "PUT"):
        named = {"stream_id": stream["stream_id"], **document} if isinstance(document, dict) else document
        assert siem.call(method, "/ssf/streams", named).status_code == 400
    assert siem.call("GET", "/ssf/streams").json() == [stream]


@clause("SSF 1.0 8.1.1.3")
def test_a_change_of_an_unknown_or_unnamed_stream_is_refused(siem):
    for method in ("PATCH", "PUT"):
        assert siem.call(method, "/ssf/streams", {"stream_id": "0" * 32}).status_code == 404
        assert siem.call(method, "/ssf/streams", {}).status_code == 400
    for odd in ("", "\x00", "ü", "a" * 5000, "../x"):
        assert siem.call("PATCH", "/ssf/streams", {"stream_id": odd}).status_code in (400, 404)


@clause("SSF 1.0 8.1.1.1")
def test_a_client_has_a_bounded_number_of_streams(siem):
    for _ in range(streams.MOST_STREAMS):
        siem.stream()
    assert siem.call("POST", "/ssf/streams", {}).status_code == 409


def test_what_authorizes_a_push_is_sealed_and_never_shown(siem, monkeypatch):
    monkeypatch.setattr("idp.kernel.outbound.check", lambda url: None)
    delivery = {"method": PUSH, "endpoint_url": "https://siem.example/events", "authorization_header": "Bearer s3cret-of-theirs"}
    stream = siem.stream(delivery=delivery)
    assert stream["delivery"] == {"method": PUSH, "endpoint_url": "https://siem.example/events"}
    row = Stream.objects.get()
    assert "s3cret" not in row.authorization_sealed
    assert streams.authorization(row) == "Bearer s3cret-of-theirs"
    assert "s3cret" not in json.dumps(list(EventRecord.objects.values_list("data", flat=True)))


# Status


@clause("SSF 1.0 8.1.2.1", "SSF 1.0 8.1.2.2")
def test_the_status_is_read_and_set(siem):
    stream_id = siem.stream()["stream_id"]
    assert siem.call("GET", f"/ssf/status?stream_id={stream_id}").json() == {"stream_id": stream_id, "status": "enabled"}
    for word in ("paused", "disabled", "enabled"):
        answer = siem.call("POST", "/ssf/status", {"stream_id": stream_id, "status": word, "reason": "maintenance"})
        assert answer.json() == {"stream_id": stream_id, "status": word, "reason": "maintenance"}
    for wrong in ({"status": "gone"}, {}, {"status": 1}, {"status": "paused", "reason": "x" * 301}, {"status": "paused", "reason": 1}):
        assert siem.call("POST", "/ssf/status", {"stream_id": stream_id, **wrong}).status_code == 400
    assert siem.call("GET", "/ssf/status").status_code == 404
    assert siem.call("GET", f"/ssf/status?stream_id={'0' * 32}").status_code == 404


@clause("SSF 1.0 8.1.2")
def test_a_paused_stream_keeps_and_a_disabled_one_forgets(siem, person):
    stream = siem.stream(signals.ACCOUNT_DISABLED, signals.ACCOUNT_ENABLED)
    siem.call("POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": "paused"})
    people.disable(person)
    told("account.disabled")
    assert siem.poll(stream) == {}
    siem.call("POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": "enabled"})
    assert [list(claims["events"]) for claims in siem.poll(stream).values()] == [[signals.ACCOUNT_DISABLED]]
    siem.call("POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": "disabled"})
    people.enable(person)
    assert not Delivery.objects.filter(name="account.enabled", receiver="ssf").exists()


def test_a_change_of_the_configuration_leaves_a_status_alone_that_was_set_meanwhile(siem):
    siem.stream()
    read_before, row = Stream.objects.get(), Stream.objects.get()
    streams.set_status(row, "paused", ours=True)
    streams.change(read_before, {"description": "new"}, replace=False)
    assert (Stream.objects.get().status, Stream.objects.get().description) == ("paused", "new")


# Verification, tokens, polling


@clause("SSF 1.0 8.1.4.2", "RFC 8417 2.2", "SSF 1.0 4.1")
def test_a_verification_event_comes_with_the_state_that_was_sent(siem):
    stream = siem.stream()
    answer = siem.call("POST", "/ssf/verify", {"stream_id": stream["stream_id"], "state": "VGhpcyBpcyBhbiBleGFtcGxl"})
    assert (answer.status_code, answer.content) == (204, b"")
    ((jti, claims),) = siem.poll(stream).items()
    assert claims["jti"] == jti
    assert (claims["iss"], claims["aud"]) == (ISSUER, siem.client_id)
    assert claims["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}
    assert claims["events"] == {signals.VERIFICATION: {"state": "VGhpcyBpcyBhbiBleGFtcGxl"}}
    assert not {"sub", "exp"} & set(claims)


@clause("SSF 1.0 8.1.4.2")
def test_verification_is_limited_and_checked(siem):
    stream_id = siem.stream()["stream_id"]
    assert siem.call("POST", "/ssf/verify", {"stream_id": stream_id, "state": "x" * 1001}).status_code == 400
    assert siem.call("POST", "/ssf/verify", {"stream_id": stream_id, "state": 5}).status_code == 400
    assert siem.call("POST", "/ssf/verify", {"stream_id": stream_id}).status_code == 204
    again = siem.call("POST", "/ssf/verify", {"stream_id": stream_id})
    assert again.status_code == 429
    assert int(again["Retry-After"]) >= 1
    assert siem.call("POST", "/ssf/verify", {"stream_id": "0" * 32}).status_code == 404


@clause("RFC 8936 2.4")
def test_tokens_come_again_until_they_are_acknowledged(siem):
    stream = siem.stream()
    row = Stream.objects.get()
    for number in range(5):
        streams.keep(row, jti=f"j{number}", token=tokens_for(row, f"j{number}"))
    assert list(siem.poll(stream, maxEvents=2)) == ["j0", "j1"]
    assert list(siem.poll(stream, maxEvents=2)) == ["j0", "j1"]
    assert list(siem.poll(stream, maxEvents=2, ack=["j0"], setErrs={"j1": {"err": "authentication_failed"}})) == ["j2", "j3"]
    assert siem.poll(stream, maxEvents=0, ack=["j2", "j3", "unknown"]) == {}
    path = urlsplit(stream["delivery"]["endpoint_url"]).path
    assert siem.call("POST", path, {"maxEvents": 0}).json() == {"sets": {}, "moreAvailable": True}
    assert siem.call("POST", path, {}).json()["moreAvailable"] is False
    for wrong in ({"maxEvents": -1}, {"maxEvents": "1"}, {"ack": "j4"}, {"ack": [1]}, {"setErrs": []}, {"ack": ["x"] * 1001}):
        assert siem.call("POST", path, wrong).status_code == 400


def tokens_for(stream: Stream, jti: str) -> str:
    from idp.ssf import tokens

    return tokens.verification(stream, jti=jti, state=None)


# What becomes of our events


EVENTS: list[Any] = [
    case("CAEP 1.0 3.3.1", "password", catalogue.AccountPasswordChanged(), {
        signals.CREDENTIAL_CHANGE: {"credential_type": "password", "change_type": "update"}, signals.SESSION_REVOKED: {},
    }),
    case("CAEP 1.0 3.1.1", "signed out everywhere", catalogue.AccountSignedOutEverywhere(), {signals.SESSION_REVOKED: {}}),
    case("CAEP 1.0 3.1.1", "one session", catalogue.SessionEnded(reason="logout", sid="s-1"), {signals.SESSION_REVOKED: {}}),
    case("CAEP 1.0 3.3.1", "factor added", catalogue.FactorAdded(kind="totp", factor="f"), {
        signals.CREDENTIAL_CHANGE: {"credential_type": "app", "change_type": "create"},
    }),
    case("CAEP 1.0 3.3.1", "factor removed", catalogue.FactorRemoved(kind="passkey", factor="f"), {
        signals.CREDENTIAL_CHANGE: {"credential_type": "fido2-roaming", "change_type": "delete"},
    }),
    case("CAEP 1.0 3.4.1", "stepped up", catalogue.SignInSteppedUp(amr=("pwd", "otp", "mfa")), {
        signals.ASSURANCE_LEVEL_CHANGE: {
            "namespace": "NIST-AAL", "current_level": "nist-aal2", "previous_level": "nist-aal1", "change_direction": "increase",
        },
    }),
    case("RISC 1.0 2.3", "disabled", catalogue.AccountDisabled(), {signals.ACCOUNT_DISABLED: {}, signals.SESSION_REVOKED: {}}),
    case("RISC 1.0 2.4", "enabled", catalogue.AccountEnabled(), {signals.ACCOUNT_ENABLED: {}}),
    case("RISC 1.0 2.2", "erased", catalogue.AccountErased(), {signals.ACCOUNT_PURGED: {}}),
    case("RISC 1.0 2.9", "recovered", catalogue.AccountRecovered(), {
        signals.RECOVERY_ACTIVATED: {}, signals.CREDENTIAL_CHANGE: {"change_type": "update"}, signals.SESSION_REVOKED: {},
    }),
    case("RISC 1.0 2.10", "address changed", catalogue.AccountEmailChanged(), {signals.RECOVERY_INFORMATION_CHANGED: {}}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), EVENTS)
def test_an_event_of_ours_becomes_one_token_per_signal(siem, person, event, expected):
    stream = siem.stream()
    Delivery.objects.all().delete()
    emit(event, person=person.pk)
    told(event.name)
    told(event.name)  # a repetition after a crash
    found = siem.poll(stream)
    assert len(found) == len(expected)
    for jti, claims in found.items():
        ((kind, members),) = claims["events"].items()
        assert (claims["jti"], members | expected[kind]) == (jti, members)
        if "/caep/" in kind:
            assert members["event_timestamp"] <= now().timestamp()
            assert members["initiating_entity"] in ("user", "admin", "policy", "system")
        user = {"format": "iss_sub", "iss": ISSUER, "sub": str(person.pk)}
        one_session = {"format": "complex", "user": user, "session": {"format": "opaque", "id": "s-1"}}
        assert claims["sub_id"] == (one_session if getattr(event, "sid", None) else user)
    assert {kind for claims in found.values() for kind in claims["events"]} == set(expected)


@clause("CAEP 1.0 3.1", "SSF 1.0 3.2")
def test_everybody_signed_out_is_one_token_about_the_whole_provider(siem, person):
    stream = siem.stream()
    people.sign_out_everybody()
    told("account.all_signed_out")
    ((_jti, claims),) = siem.poll(stream).items()
    assert claims["sub_id"] == {"format": "complex", "tenant": {"format": "uri", "uri": ISSUER}}
    ((kind, members),) = claims["events"].items()
    assert (kind, members["initiating_entity"]) == (signals.SESSION_REVOKED, "admin")
    assert "tenant" in siem.call("GET", "/.well-known/ssf-configuration").json()["critical_subject_members"]


def test_an_event_whose_person_is_no_longer_named_is_not_told_of_everybody(siem, person):
    """EV-10: somebody was signed out everywhere and then erased; the log has forgotten whom the first event was about."""
    stream = siem.stream(signals.SESSION_REVOKED)
    people.sign_out_everywhere(person)
    EventRecord.objects.filter(name="account.signed_out_everywhere").update(person=None)
    told("account.signed_out_everywhere")
    assert siem.poll(stream) == {}


@clause("RISC 1.0 2.6")
@pytest.mark.parametrize(
    ("kind", "former", "address", "name"),
    [("email", "ada@example.org", "ada@new.example", "email"), ("phone", "+431234567", "+437654321", "phone_number")],
)
def test_a_changed_identifier_names_the_former_one(siem, person, kind, former, address, name):
    from datetime import timedelta

    from idp.accounts.models import AddressChange

    stream = siem.stream(signals.IDENTIFIER_CHANGED)
    moment = now()
    AddressChange.objects.create(
        user=person, kind=kind, former=former, address=address, code=b"", epoch=0, expires_at=moment, done_at=moment - timedelta(seconds=1)
    )
    event = catalogue.AccountEmailChanged() if kind == "email" else catalogue.AccountPhoneChanged()
    emit(event, person=person.pk)
    told(event.name)
    (claims,) = siem.poll(stream).values()
    assert claims["sub_id"] == {"format": name, name: former}
    assert claims["events"] == {signals.IDENTIFIER_CHANGED: {"new-value": address}}


def test_only_what_was_asked_for_is_told(siem, person):
    stream = siem.stream(signals.ACCOUNT_ENABLED)
    people.disable(person)
    assert not Delivery.objects.filter(name="account.disabled", receiver="ssf").exists()
    people.enable(person)
    told("account.enabled")
    assert len(siem.poll(stream)) == 1


def test_every_translated_event_is_in_the_catalogue():
    assert set(signals.TRANSLATIONS) <= set(catalogue.CATALOGUE)


# Subjects


@clause("SSF 1.0 8.1.3.2", "SSF 1.0 8.1.3.3")
@pytest.mark.parametrize("format", ["email", "iss_sub", "opaque", "complex"])
def test_a_removed_person_is_no_longer_told_of_until_added_again(siem, person, format):
    stream = siem.stream(signals.SESSION_REVOKED)
    user = {"format": "iss_sub", "iss": ISSUER, "sub": str(person.pk)}
    subject = {
        "email": {"format": "email", "email": "Ada@Example.org"},
        "iss_sub": user,
        "opaque": {"format": "opaque", "id": str(person.pk)},
        "complex": {"format": "complex", "user": user},
    }[format]
    document = {"stream_id": stream["stream_id"], "subject": subject}
    assert siem.call("POST", "/ssf/subjects/remove", document).status_code == 204
    people.sign_out_everywhere(person)
    people.sign_out_everywhere(make_person(email="grace@example.org"))
    for record in EventRecord.objects.filter(name="account.signed_out_everywhere"):
        for row in Delivery.objects.filter(event=record.pk, receiver="ssf"):
            RECEIVER.compose(record, row)
    assert len(siem.poll(stream)) == 1
    assert siem.call("POST", "/ssf/subjects/add", {**document, "verified": True}).status_code == 200
    people.sign_out_everywhere(person)
    told("account.signed_out_everywhere")
    assert len(siem.poll(stream)) == 2


@clause("SSF 1.0 9.2")
def test_whether_somebody_is_known_is_not_told(siem):
    stream = siem.stream()
    unknown = [
        {"format": "email", "email": "nobody@example.org"}, {"format": "email", "email": "no address"},
        {"format": "iss_sub", "iss": "https://other.example", "sub": "1"}, {"format": "phone_number", "phone_number": "+1"},
        {"format": "opaque", "id": "\x00"},
    ]  # fmt: skip
    for subject in unknown[:-1]:
        assert siem.call("POST", "/ssf/subjects/add", {"stream_id": stream["stream_id"], "subject": subject}).status_code == 200
        assert siem.call("POST", "/ssf/subjects/remove", {"stream_id": stream["stream_id"], "subject": subject}).status_code == 204
    for wrong in (None, "x", {}, {"format": 1}, {"format": "nothing"}, unknown[-1]):
        assert siem.call("POST", "/ssf/subjects/add", {"stream_id": stream["stream_id"], "subject": wrong}).status_code == 400


# Push


@dataclass
class Sink:
    """A receiver's push endpoint on this machine."""

    url: str
    status: int = 202
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def sink(settings) -> Iterator[Sink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            there.paths.append(self.path)
            there.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(there.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    there = Sink(f"http://127.0.0.1:{server.server_port}/events")
    settings.IDP = settings.IDP.model_copy(update={"outbound_allow": (f"127.0.0.1:{server.server_port}",)})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield there
    server.shutdown()
    server.server_close()
    thread.join()


@clause("RFC 8935 2.1", "RFC 8935 2.2", "SSF 1.0 6.1.1")
@pytest.mark.parametrize("header", ["", "Bearer push-token"])
def test_a_verification_is_pushed_with_the_header_that_was_asked_for(siem, sink, header):
    wanted = {"method": PUSH, "endpoint_url": sink.url, **({"authorization_header": header} if header else {})}
    stream = siem.stream(delivery=wanted)
    siem.call("POST", "/ssf/verify", {"stream_id": stream["stream_id"], "state": "abc"})
    deliveries.deliver_due()
    ((headers, body),) = sink.got
    assert (headers["content-type"], headers["accept"]) == ("application/secevent+jwt", "application/json")
    assert headers.get("authorization", "") == header
    assert opened(body.decode())["events"] == {signals.VERIFICATION: {"state": "abc"}}
    assert not WaitingToken.objects.exists()


@clause("RFC 8935 2.3", "RFC 8935 2.4")
@pytest.mark.parametrize(("status", "state"), [(400, "dead"), (503, "waiting"), (429, "waiting"), (302, "waiting")])
def test_a_push_that_fails_is_tried_again_and_one_that_is_refused_is_not(siem, sink, status, state):
    stream = siem.stream(delivery={"method": PUSH, "endpoint_url": sink.url})
    sink.status = status
    siem.call("POST", "/ssf/verify", {"stream_id": stream["stream_id"]})
    deliveries.deliver_due()
    assert Delivery.objects.get(receiver="ssf_push").state == state


@clause("RFC 8935 2.1")
def test_an_account_event_is_one_call_per_signal_with_the_same_bytes_every_time(siem, sink, person):
    siem.stream(delivery={"method": PUSH, "endpoint_url": sink.url, "authorization_header": "Bearer t"})
    people.disable(person)
    record = EventRecord.objects.get(name="account.disabled")
    row = Delivery.objects.get(event=record.pk, receiver="ssf")
    calls = RECEIVER.compose(record, row)
    assert [next(iter(opened(call.body)["events"])) for call in calls] == [signals.ACCOUNT_DISABLED, signals.SESSION_REVOKED]
    assert len({call.key for call in calls}) == 2
    assert RECEIVER.headers(calls[0], row)["authorization"] == "Bearer t"
    assert [call.key for call in calls] == [opened(call.body)["jti"] for call in calls]
    deliveries.deliver_due()
    row.refresh_from_db()
    assert (row.state, len(sink.got)) == ("done", 2)
    assert [headers["authorization"] for headers, _body in sink.got] == ["Bearer t"] * 2
    assert str(person.pk) not in json.dumps(row.log)
    assert opened(sink.got[0][1].decode())["events"].keys() == {signals.ACCOUNT_DISABLED}


@clause("RFC 8935 2.4")
def test_tokens_about_one_person_arrive_in_order_and_a_refused_one_holds_up_nothing(siem, sink, person):
    stream = siem.stream(signals.ACCOUNT_DISABLED, signals.ACCOUNT_ENABLED, delivery={"method": PUSH, "endpoint_url": sink.url})
    sink.status = 400
    people.disable(person)
    deliveries.deliver_due()
    sink.status = 202
    for _ in range(3):
        people.enable(person)
        people.disable(person)
    deliveries.deliver_due()
    kinds = [next(iter(opened(body.decode())["events"])) for _headers, body in sink.got]
    assert kinds == [signals.ACCOUNT_DISABLED, *[signals.ACCOUNT_ENABLED, signals.ACCOUNT_DISABLED] * 3]
    assert Delivery.objects.filter(target=stream["stream_id"], state="dead").count() == 1


@clause("RFC 8935 2.4")
def test_a_refused_token_does_not_keep_the_other_one_of_the_same_event(siem, sink, person):
    siem.stream(signals.ACCOUNT_DISABLED, signals.SESSION_REVOKED, delivery={"method": PUSH, "endpoint_url": sink.url})
    sink.status = 400
    people.disable(person)
    deliveries.deliver_due()
    kinds = [next(iter(opened(body.decode())["events"])) for _headers, body in sink.got]
    assert kinds == [signals.ACCOUNT_DISABLED, signals.SESSION_REVOKED]
    row = Delivery.objects.get(receiver="ssf")
    assert (row.state, [entry["outcome"] for entry in row.log]) == ("dead", ["answered 400"] * 2)


def test_a_paused_push_stream_leaves_when_it_is_enabled_again(siem, sink, person):
    stream_id = siem.stream(signals.ACCOUNT_DISABLED, delivery={"method": PUSH, "endpoint_url": sink.url})["stream_id"]
    siem.call("POST", "/ssf/status", {"stream_id": stream_id, "status": "paused"})
    people.disable(person)
    deliveries.deliver_due()
    assert sink.got == []
    siem.call("POST", "/ssf/status", {"stream_id": stream_id, "status": "enabled"})
    deliveries.deliver_due()
    assert len(sink.got) == 1


def after_a_failed_push(siem: Receiver, sink: Sink, person: User) -> dict[str, Any]:
    """A stream one of whose tokens was made, sealed and not taken; from now on its endpoint answers again."""
    stream = siem.stream(
        signals.ACCOUNT_DISABLED, delivery={"method": PUSH, "endpoint_url": sink.url, "authorization_header": "Bearer old"}
    )
    sink.status = 503
    people.disable(person)
    deliveries.deliver_due()
    assert Delivery.objects.get(receiver="ssf").attempts == len(sink.got) == 1
    sink.status = 202
    return stream


def pauses_are_over() -> None:
    Lane.objects.update(due_at=now())
    Outage.objects.all().delete()


@clause("SSF 1.0 8.1.2")
@pytest.mark.parametrize(("status", "state"), [("paused", "waiting"), ("disabled", "done")])
def test_nothing_is_repeated_to_a_stream_that_was_paused_or_disabled_meanwhile(siem, sink, person, status, state):
    stream = after_a_failed_push(siem, sink, person)
    siem.call("POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": status})
    pauses_are_over()
    deliveries.deliver_due()
    assert (len(sink.got), Delivery.objects.get(receiver="ssf").state) == (1, state)
    siem.call("POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": "enabled"})
    pauses_are_over()
    deliveries.deliver_due()
    assert len(sink.got) == (2 if status == "paused" else 1)
    assert {body for _headers, body in sink.got} == {sink.got[0][1]}


@clause("SSF 1.0 8.1.1.3")
def test_a_repetition_goes_to_the_endpoint_that_the_stream_has_now(siem, sink, person):
    """A header that was meant for the new endpoint never reaches the former one."""
    stream = after_a_failed_push(siem, sink, person)
    moved = {"method": PUSH, "endpoint_url": f"{sink.url}/new", "authorization_header": "Bearer new"}
    answer = siem.call("PATCH", "/ssf/streams", {"stream_id": stream["stream_id"], "delivery": moved})
    assert answer.status_code == 200
    pauses_are_over()
    deliveries.deliver_due()
    assert [(path, headers["authorization"]) for path, (headers, _body) in zip(sink.paths, sink.got, strict=True)] == [
        ("/events", "Bearer old"),
        ("/events/new", "Bearer new"),
    ]


@clause("SSF 1.0 8.1.1.3", "RFC 8936 2")
def test_what_waits_for_a_push_can_be_polled_when_the_stream_is_polled_from_now_on(siem, sink, person):
    stream = after_a_failed_push(siem, sink, person)
    answer = siem.call("PATCH", "/ssf/streams", {"stream_id": stream["stream_id"], "delivery": {"method": POLL}})
    pauses_are_over()
    deliveries.deliver_due()
    assert Delivery.objects.get(receiver="ssf").state == "done"
    assert len(sink.got) == 1
    assert [list(claims["events"]) for claims in siem.poll(answer.json()).values()] == [[signals.ACCOUNT_DISABLED]]


def test_a_receiver_that_does_not_answer_for_days_is_paused(siem, sink):
    from datetime import timedelta

    siem.stream(delivery={"method": PUSH, "endpoint_url": sink.url})
    row = Delivery(target=Stream.objects.get().pk)
    RECEIVER.failed_for_long(row, since=timedelta(hours=5))
    assert Stream.objects.get().status == "enabled"
    RECEIVER.failed_for_long(row, since=timedelta(days=4))
    assert Stream.objects.get().status == "paused"
    deliveries.deliver_due()
    ((_headers, body),) = sink.got
    assert opened(body.decode())["events"][signals.STREAM_UPDATED]["status"] == "paused"


# Operator


def test_the_command(siem):
    from io import StringIO

    from django.core.management import call_command

    stream_id = siem.stream()["stream_id"]

    def run(*arguments: str) -> Any:
        out = StringIO()
        call_command("ssf", *arguments, "--json", stdout=out)
        return json.loads(out.getvalue())

    assert [row["stream_id"] for row in run("list")["streams"]] == [stream_id]
    assert run("pause", stream_id, "--reason", "maintenance")["status"] == "paused"
    assert run("enable", stream_id)["status"] == "enabled"
    assert [list(claims["events"]) for claims in siem.poll(run("show", stream_id)).values()] == [[signals.STREAM_UPDATED]] * 2
    assert run("delete", stream_id)["deleted"] is True
