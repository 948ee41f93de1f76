"""Streams as a receiver of our events: who wants one, and how it is told (`idp.notifications.receivers`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from idp.accounts.models import AddressChange
from idp.events.catalogue import AccountEmailChanged, Event
from idp.events.models import Delivery, EventRecord
from idp.kernel import sealing
from idp.notifications.receivers import Call, NotNow, Refused
from idp.oidc.clients import cache
from idp.ssf import streams, tokens
from idp.ssf.models import Stream
from idp.ssf.signals import IDENTIFIER_CHANGED, TRANSLATIONS, signals_of

log = logging.getLogger(__name__)

PAUSE_AFTER = timedelta(days=3)
SAME_TRANSACTION = timedelta(minutes=1)


class Streams:
    """Tokens to each stream in the order of the person's events; one that was refused does not hold up the next (RFC 8935 2.4)."""

    blocks = False
    gives_up_after = timedelta(days=7)

    def targets(self, event: Event) -> Sequence[str]:
        found = TRANSLATIONS.get(event.name)
        if found is None:
            return ()
        return [stream.pk for stream in streams.known() if not stream.delivered.isdisjoint(found[0])]

    def compose(self, record: EventRecord, delivery: Delivery) -> Sequence[Call]:
        """One call per signal; for a stream that is polled the tokens are put where they are fetched, and nothing is left to do."""
        stream = _stream_of(delivery)
        client = cache.get(stream.client_id) if stream else None
        if stream is None or client is None:
            return ()
        if record.person is not None and stream.removed.filter(person=record.person).exists():
            return ()
        if stream.status == Stream.Status.PAUSED and stream.method == Stream.Method.PUSH:
            raise NotNow("the stream is paused")
        calls = []
        for number, signal in enumerate(signals_of(record)):
            if signal.type not in stream.events_delivered:
                continue
            if record.person is None and not signal.everybody:  # erased meanwhile: the log no longer says of whom it told
                continue
            # From the event: a repetition after a crash is recognised as the same (RFC 8417 2.2).
            jti = f"{record.pk.hex}{number}"
            if signal.type == IDENTIFIER_CHANGED:
                change = _change_of(record)
                if change is None:  # the former one is not known, or there was none
                    continue
                token = tokens.about_identifier(stream, change, jti=jti, txn=str(record.pk))
            elif record.person is None:
                token = tokens.about_everybody(stream, signal, jti=jti, txn=str(record.pk))
            else:
                token = tokens.about_person(stream, client, signal, jti=jti, txn=str(record.pk), person=record.person)
            if stream.method == Stream.Method.PUSH:
                calls.append(Call("POST", stream.endpoint_url, jti, token))
            else:
                streams.keep(stream, jti=jti, token=token)
        return calls

    def address(self, call: Call, delivery: Delivery) -> str:
        """Where the stream is now. Its receiver may have moved it, paused it or given it up since the token was made (SSF 1.0 8.1.1, 8.1.2)."""
        stream = _stream_of(delivery)
        if stream is None:
            return ""
        if stream.method == Stream.Method.POLL:
            streams.keep(stream, jti=call.key, token=call.body)
            return ""
        if stream.status == Stream.Status.PAUSED:
            raise NotNow("the stream is paused")
        return stream.endpoint_url

    def headers(self, call: Call, delivery: Delivery) -> Mapping[str, str]:
        stream = Stream.objects.filter(pk=delivery.target).first()
        if stream is None:
            raise Refused("the stream is gone")
        return push_headers(stream)

    def accepts(self, call: Call, status: int) -> bool:
        return 200 <= status < 300  # RFC 8935 2.2: 202

    def failed_for_long(self, delivery: Delivery, *, since: timedelta) -> None:
        """Nobody has answered for days: the stream is paused, and its receiver reads so when it comes back (SSF 1.0 8.1.2)."""
        if since < PAUSE_AFTER:
            return
        stream = Stream.objects.filter(pk=delivery.target, status=Stream.Status.ENABLED).first()
        if stream is not None:
            log.warning("ssf: stream %s has not answered for %d days and is paused", stream.pk, since.days)
            streams.set_status(stream, Stream.Status.PAUSED, reason="The endpoint has not answered for days.", ours=True)


def _stream_of(delivery: Delivery) -> Stream | None:
    return Stream.objects.filter(pk=delivery.target).exclude(status=Stream.Status.DISABLED).first()


def _change_of(record: EventRecord) -> AddressChange | None:
    """The change that this event is about: the log itself holds no address."""
    kind = AddressChange.Kind.EMAIL if record.name == AccountEmailChanged.name else AddressChange.Kind.PHONE
    made = AddressChange.objects.filter(user=record.person, kind=kind, done_at__lte=record.at, done_at__gt=record.at - SAME_TRANSACTION)
    return made.exclude(former="").exclude(address="").order_by("-done_at").first()


def push_headers(stream: Stream) -> dict[str, str]:
    """RFC 8935 2.1, and what the receiver asked for (SSF 1.0 6.1.1). Raises Refused."""
    try:
        header = streams.authorization(stream)
    except sealing.SealBroken:
        raise Refused("the authorization does not open with any sealing key") from None
    return {
        "content-type": "application/secevent+jwt",
        "accept": "application/json",
        **({"authorization": header} if header else {}),
    }


RECEIVER = Streams()
