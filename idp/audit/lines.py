"""The chains as lines: what an export holds, and what a verification walks. Bounded reads, whatever the size of the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from idp.audit import heads
from idp.audit.models import Head, Link, Opening, Stream
from idp.audit.record import facts, personal_values
from idp.events.models import EventRecord
from idp.kernel import clock

PAGE = 1000


def header(streams: list[Stream]) -> dict[str, Any]:
    """The first line: whose chains, where they start, the public keys behind the heads."""
    return {
        "type": "audit",
        "version": 1,
        "issuer": settings.IDP.issuer,
        "made_at": clock.now().isoformat(timespec="seconds"),
        "keys": list(heads.own_keys().values()),
        "streams": {stream.name: {"seq": stream.cut_seq, "hash": bytes(stream.cut_hash).hex()} for stream in streams},
    }


def head_lines() -> Iterator[dict[str, Any]]:
    """All heads, in order."""
    last = 0
    while page := list(Head.objects.filter(number__gt=last).order_by("number")[:PAGE]):
        for head in page:
            yield {"type": "head", "number": head.number, "jws": head.jws}
        last = page[-1].number


def record_lines(stream: Stream, *, personal: bool = True) -> Iterator[dict[str, Any]]:
    """Every link up to where the stream stands, with its record. Problems are members of the line: `missing`, `unsalted`."""
    last = stream.cut_seq
    while page := list(Link.objects.filter(stream=stream.name, seq__gt=last, seq__lte=stream.seq).order_by("seq")[:PAGE]):
        wanted = [link.event for link in page]
        rows = EventRecord.objects.in_bulk(wanted)
        salts = {opening.event: opening.salts for opening in Opening.objects.filter(event__in=wanted)}
        for link in page:
            yield _line(link, rows.get(link.event), salts.get(link.event, {}), personal=personal)
        last = page[-1].seq


def _line(link: Link, row: EventRecord | None, salts: dict[str, str], *, personal: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"type": "record", "stream": link.stream, "seq": link.seq, "hash": bytes(link.hash).hex()}
    if row is None:
        return {**line, "missing": str(link.event), "record": {"id": str(link.event)}}
    line["record"] = facts(row, stream=link.stream, seq=link.seq, commitments=link.commitments)
    if personal:
        values = personal_values(row)
        # A value that was erased has neither salt nor value; a salt without value means that the value was taken away.
        line["opened"] = {name: {"salt": salt, "value": values.get(name, "")} for name, salt in salts.items()}
        unsalted = sorted(name for name in values if name not in salts and (name in link.commitments or not name.startswith("data.")))
        if unsalted:
            line["unsalted"] = unsalted
    return line
