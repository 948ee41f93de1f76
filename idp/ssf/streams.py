"""What receivers, and operators, do to streams. Each change with its event, in one transaction.

Spec: SSF 1.0 8.1.1 (configuration), 8.1.2 (status), 8.1.3 (subjects), 8.1.4 (verification).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from idp.accounts.emails import canonical_email
from idp.accounts.models import User
from idp.events import catalogue, emit, outbox
from idp.events.changes import diff
from idp.events.models import Lane
from idp.kernel import clock, generations, outbound, sealing
from idp.kernel.ids import secret_token
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients.policy import ClientPolicy
from idp.ssf import tokens
from idp.ssf.models import RemovedSubject, Stream, WaitingToken
from idp.ssf.signals import SUPPORTED

GENERATION = "ssf"
RECEIVER = "ssf"
PUSH = "ssf_push"
MOST_STREAMS = 5
MOST_TEXT = 300
MIN_VERIFICATION_SECONDS = 5
# What a change of the configuration writes: never the status, which may be changing at the same moment.
_CONFIGURATION = ("method", "endpoint_url", "authorization_sealed", "events_requested", "events_delivered", "description", "updated_at")


class Invalid(ValueError):
    """A request that cannot be honoured; the text may be shown."""


class TooMany(ValueError):
    """The client has as many streams as it may have."""


class Known(NamedTuple):
    """What must be known of a stream for every event, without SQL."""

    pk: str
    delivered: frozenset[str]


_lock = threading.Lock()
_loaded: tuple[int, tuple[Known, ...]] | None = None


def known() -> tuple[Known, ...]:
    """Streams that are not disabled; read again when one was changed."""
    global _loaded
    number = generations.current(GENERATION)
    found = _loaded
    if found is None or found[0] != number:
        with _lock:
            rows = Stream.objects.exclude(status=Stream.Status.DISABLED).values_list("pk", "events_delivered")
            found = _loaded = (number, tuple(Known(pk, frozenset(delivered)) for pk, delivered in rows))
    return found[1]


def describe(stream: Stream) -> dict[str, Any]:
    """8.1.1: the configuration. What authorizes a push is never shown."""
    delivery = {"method": stream.method, "endpoint_url": stream.endpoint_url}
    if stream.method == Stream.Method.POLL:
        delivery["endpoint_url"] = f"{settings.IDP.issuer}/ssf/streams/{stream.pk}/poll"
    return {
        "stream_id": stream.pk,
        "iss": settings.IDP.issuer,
        "aud": stream.client_id,
        "events_supported": list(SUPPORTED),
        "events_requested": stream.events_requested,
        "events_delivered": stream.events_delivered,
        "delivery": delivery,
        "min_verification_interval": MIN_VERIFICATION_SECONDS,
        **({"description": stream.description} if stream.description else {}),
    }


def create(client_id: str, document: Mapping[str, Any]) -> Stream:
    """8.1.1.1. Raises Invalid, TooMany."""
    stream = Stream(client_id=client_id)
    _check_rest(stream, document)
    _assign(stream, {"events_requested": [], "delivery": None, "description": "", **document})
    with transaction.atomic():
        if Stream.objects.filter(client_id=client_id).count() >= MOST_STREAMS:
            raise TooMany
        stream.save(force_insert=True)
        emit(catalogue.SsfStreamCreated(client_id=client_id, stream=stream.pk), changes=diff({}, _shown(stream)))
        generations.bump(GENERATION)
    return stream


def change(stream: Stream, document: Mapping[str, Any], *, replace: bool) -> None:
    """8.1.1.3 (update: what is not named stays) and 8.1.1.4 (replace: what is not named goes). Raises Invalid."""
    before = _shown(stream)
    _check_rest(stream, document)
    start: dict[str, Any] = {"events_requested": [], "delivery": None, "description": ""} if replace else {}
    _assign(stream, {**start, **document})
    stream.updated_at = clock.now()
    with transaction.atomic():
        stream.save(update_fields=_CONFIGURATION)
        changes = diff(before, _shown(stream))
        emit(catalogue.SsfStreamUpdated(client_id=stream.client_id, stream=stream.pk, members=tuple(changes)), changes=changes)
        generations.bump(GENERATION)


def delete(stream: Stream, *, by: UUID | None = None) -> None:
    """8.1.1.5: with everything that waits for it."""
    with transaction.atomic():
        emit(catalogue.SsfStreamDeleted(client_id=stream.client_id, stream=stream.pk), by=by, changes=diff(_shown(stream), {}))
        stream.delete()
        generations.bump(GENERATION)


def set_status(stream: Stream, status: str, *, reason: str = "", ours: bool = False, by: UUID | None = None) -> None:
    """8.1.2.2. Paused: tokens wait. Disabled: what happens meanwhile is never told. `ours` = the receiver is told. Raises Invalid."""
    if status not in Stream.Status.values:
        raise Invalid("status must be enabled, paused or disabled")
    with transaction.atomic():
        before = stream.status
        stream.status, stream.reason, stream.updated_at = status, _text(reason, "reason"), clock.now()
        stream.save(update_fields=["status", "reason", "updated_at"])
        if before == status:
            return
        changes = diff({"status": before}, {"status": status})
        emit(catalogue.SsfStreamUpdated(client_id=stream.client_id, stream=stream.pk, members=("status",)), by=by, changes=changes)
        generations.bump(GENERATION)
        if status == Stream.Status.ENABLED:  # what waited for that need not wait for the end of a pause
            Lane.objects.filter(receiver=RECEIVER, target=stream.pk, due_at__gt=clock.now(), owner="").update(
                due_at=clock.now(), version=F("version") + 1
            )
            outbox.wake_after_commit()
        if ours:
            jti = secret_token(16)
            hand_over(stream, jti=jti, token=tokens.updated(stream, jti=jti))


def request_verification(stream: Stream, *, state: str | None) -> None:
    """8.1.4.2: a verification event, the way of all others. A disabled stream says nothing."""
    if stream.status == Stream.Status.DISABLED:
        return
    jti = secret_token(16)
    with transaction.atomic():
        hand_over(stream, jti=jti, token=tokens.verification(stream, jti=jti, state=state))


def hand_over(stream: Stream, *, jti: str, token: str) -> None:
    """Put a token of our own on its way: into the outbox, or where it waits to be polled."""
    if stream.method == Stream.Method.PUSH:
        outbox.enqueue(receiver=PUSH, payload={"stream": stream.pk, "token": token})
    else:
        keep(stream, jti=jti, token=token)


def keep(stream: Stream, *, jti: str, token: str) -> None:
    """Let a token wait to be polled; a repetition changes nothing."""
    WaitingToken.objects.bulk_create([WaitingToken(stream=stream, jti=jti, token=token)], ignore_conflicts=True)


def authorization(stream: Stream) -> str:
    """The Authorization header of pushes; empty = none. Raises sealing.SealBroken."""
    return sealing.unseal(stream.authorization_sealed, purpose=_purpose(stream)).decode() if stream.authorization_sealed else ""


def include(stream: Stream, client: ClientPolicy, subject: Any) -> None:
    """8.1.3.2. Everybody is in a stream until removed (default_subjects ALL); whom we do not know is passed over in silence."""
    person = _person(client, subject)
    if person is not None:
        RemovedSubject.objects.filter(stream=stream, person=person).delete()


def exclude(stream: Stream, client: ClientPolicy, subject: Any) -> None:
    """8.1.3.3."""
    person = _person(client, subject)
    if person is not None:
        RemovedSubject.objects.bulk_create([RemovedSubject(stream=stream, person=person)], ignore_conflicts=True)


def _person(client: ClientPolicy, subject: Any) -> UUID | None:
    """RFC 9493: whom a subject identifier means. Raises Invalid for what is none."""
    if not isinstance(subject, dict) or not isinstance(subject.get("format"), str):
        raise Invalid("subject must be a subject identifier (RFC 9493)")
    users = User.objects.values_list("pk", flat=True)
    match subject:
        case {"format": "complex", "user": user}:
            return _person(client, user)
        case {"format": "email", "email": str(text)}:
            try:
                return users.filter(email=canonical_email(text)).first()
            except ValidationError:
                return None
        case {"format": "iss_sub", "iss": str(issuer), "sub": str(sub)} if issuer == settings.IDP.issuer:
            return _of_sub(client, sub)
        case {"format": "opaque", "id": str(sub)}:
            return _of_sub(client, sub)
        case {"format": "email" | "iss_sub" | "opaque" | "account" | "phone_number" | "did" | "uri" | "aliases" | "complex" | "jwt_id"}:
            return None
    raise Invalid("subject has a format that is not known")


def _of_sub(client: ClientPolicy, sub: str) -> UUID | None:
    # A pairwise subject cannot be turned back; such a client removes by e-mail address.
    try:
        person = UUID(sub)
    except ValueError:
        return None
    return person if subject_for(client, person) == sub else None


def _assign(stream: Stream, document: Mapping[str, Any]) -> None:
    if "events_requested" in document:
        requested = document["events_requested"]
        if (
            not isinstance(requested, list)
            or len(requested) > 50
            or not all(isinstance(kind, str) and len(kind) < 300 for kind in requested)
        ):
            raise Invalid("events_requested must be a list of event types")
        stream.events_requested = list(dict.fromkeys(requested))
        stream.events_delivered = [kind for kind in stream.events_requested if kind in SUPPORTED]
    if "description" in document:
        stream.description = _text(document["description"], "description")
    if "delivery" in document:
        _assign_delivery(stream, document["delivery"])


def _assign_delivery(stream: Stream, delivery: Any) -> None:
    # 8.1.1: without one the transmitter chooses, and polling needs nothing of the receiver.
    if delivery is None:
        delivery = {"method": Stream.Method.POLL.value}
    if not isinstance(delivery, dict) or delivery.get("method") not in Stream.Method.values:
        raise Invalid("delivery.method must be one of delivery_methods_supported")
    stream.method = delivery["method"]
    stream.endpoint_url, stream.authorization_sealed = "", ""
    if stream.method == Stream.Method.POLL:
        return
    url, header = delivery.get("endpoint_url"), delivery.get("authorization_header", "")
    if not isinstance(url, str):
        raise Invalid("delivery.endpoint_url is missing")
    try:
        outbound.check(url)
    except outbound.OutboundError as error:
        raise Invalid(f"delivery.endpoint_url: {error.public}") from None
    # RFC 9110 5.5: one line of visible characters; anything else could become another header.
    if not isinstance(header, str) or len(header) > 4000 or not header.isascii() or (header and not header.isprintable()):
        raise Invalid("delivery.authorization_header must be one line of ASCII")
    stream.endpoint_url = url
    if header:
        stream.authorization_sealed = sealing.seal(header.encode(), purpose=_purpose(stream))


def _check_rest(stream: Stream, document: Mapping[str, Any]) -> None:
    """8.1.1.3: what the transmitter supplies may be in the request, but only as it is."""
    present = describe(stream)
    for name, value in document.items():
        if name in ("iss", "aud", "stream_id") and value != present[name] and not (name == "stream_id" and stream._state.adding):
            raise Invalid(f"{name} is not the receiver's to choose")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise Invalid(f"{name} must be a text of at most {MOST_TEXT} characters")
    return value


def _shown(stream: Stream) -> dict[str, Any]:
    return {
        "method": stream.method,
        "endpoint_url": stream.endpoint_url,
        "events_requested": stream.events_requested,
        "description": stream.description,
        "authorization_secret": stream.authorization_sealed,
    }


def _purpose(stream: Stream) -> str:
    return f"ssf.authorization:{stream.pk}"
