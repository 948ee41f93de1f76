"""The log forgets old records (`events.catalogue.KEPT`); the chains are cut behind them, and go on from there."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from idp.audit import heads
from idp.audit.models import Link, Opening, Stream
from idp.events.catalogue import KEPT
from idp.events.catalogue import Stream as Kind
from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.kernel import clock

BATCH = 500


def expired_before(stream: str) -> UUID:
    """Records of this stream with a lower id may be gone."""
    return first_id(clock.now() - KEPT[Kind(stream)])


def cut_expired() -> int:
    """Drop one batch of links whose records have expired and are gone; the stream then begins behind them. Returns how many."""
    return sum(_cut(name) for name in Stream.objects.values_list("name", flat=True))


def _cut(name: str) -> int:
    before = expired_before(name)
    first = list(Link.objects.filter(stream=name).order_by("seq")[:1])
    if not first or first[0].event >= before:
        return 0
    with transaction.atomic():
        if heads.lock() is None:
            return 0
        page = list(Link.objects.filter(stream=name).order_by("seq")[:BATCH])
        there = set(EventRecord.objects.filter(pk__in=[link.event for link in page]).values_list("pk", flat=True))
        gone: list[Link] = []
        for link in page:
            if link.event >= before or link.event in there:
                break
            gone.append(link)
        if gone:
            Stream.objects.filter(name=name).update(cut_seq=gone[-1].seq, cut_hash=gone[-1].hash)
            events = [link.event for link in gone]
            Opening.objects.filter(event__in=events).delete()
            Link.objects.filter(event__in=events).delete()
        return len(gone)
