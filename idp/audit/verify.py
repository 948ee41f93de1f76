"""Is the log what was sealed? Walks every chain, compares with the signed heads, looks for rows that are in no chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from idp.audit import heads, lines, retention
from idp.audit.models import FIRST_ID, Head, Link, Sealer, Stream
from idp.audit.sealer import LAG, waiting
from idp.audit.verifier import Chains, head_digest, open_head
from idp.events.models import EventRecord
from idp.events.partitions import first_id

PAGE = 5000


@dataclass(slots=True)
class Report:
    """What was found; whole when `problems` is empty, else the first of them is the first broken link."""

    problems: list[str] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    records: int = 0
    erased: int = 0
    heads: int = 0
    proved: int = 0
    waiting: int = 0


def verify(*, kept_heads: Iterable[str] = ()) -> Report:
    """Verify everything. `kept_heads` are heads (compact JWS) that were kept elsewhere: the chains must still hold what they say."""
    streams = list(Stream.objects.order_by("name"))
    starts = {stream.name: {"seq": stream.cut_seq, "hash": bytes(stream.cut_hash).hex()} for stream in streams}
    chains, report = Chains(starts), Report()
    _heads(chains, report, kept_heads)
    for stream in streams:
        for line in lines.record_lines(stream):
            place = f"{stream.name} {line['seq']} (event {line['record']['id']})"
            if "missing" in line:
                if UUID(line["missing"]) >= retention.expired_before(stream.name):
                    chains.problems.append(f"{place}: the log row was removed")
                chains.skip(line)
                continue
            if "unsalted" in line:
                chains.problems.append(f"{place}: {', '.join(line['unsalted'])} was put there later")
            chains.take(line)
        if (chains.seq[stream.name], chains.hash[stream.name]) != (stream.seq, bytes(stream.hash)):
            chains.problems.append(f"{stream.name} {chains.seq[stream.name] + 1}: the chain ends early: its end was cut off")
        report.streams[stream.name] = stream.seq
    stray = Link.objects.exclude(stream__in=starts).order_by("stream", "seq").first()
    if stray is not None:
        chains.problems.append(f"{stray.stream} {stray.seq}: belongs to no stream")
    chains.finish()
    _strangers(chains, report)
    report.problems, report.records, report.erased = chains.problems, chains.records, chains.erased
    return report


def _heads(chains: Chains, report: Report, kept: Iterable[str]) -> None:
    keys = heads.own_keys()
    previous: Head | None = None
    newest_proved = True
    for line in lines.head_lines():
        head = Head(number=line["number"], jws=line["jws"])
        claims, _kid = open_head(head.jws, keys)
        newest_proved = claims is not None
        report.heads += 1
        said = claims if claims is not None else heads.said(head)
        follows = (previous.number + 1, head_digest(previous.jws)) if previous else (1, "")
        if (head.number, said.get("number"), said.get("previous")) != (follows[0], follows[0], follows[1]):
            chains.problems.append(f"head {head.number}: does not follow the head before it")
        if claims is not None:
            _expect(chains, report, claims)
        previous = head
    if not newest_proved and previous is not None:
        chains.problems.append(f"head {previous.number}: not signed by a key of this provider")
    if chains.seq and previous is None and any(stream.seq for stream in Stream.objects.all()):
        chains.problems.append("there is no signed head")
    for jws in kept:
        claims, _kid = open_head(jws, keys)
        if claims is None:
            chains.problems.append("a head that was kept elsewhere is not signed by a key of this provider")
            continue
        _expect(chains, report, claims)
        for name in claims["streams"]:
            if name not in chains.seq:
                chains.problems.append(f"{name} 1: the whole stream was removed")


def _expect(chains: Chains, report: Report, claims: dict[str, Any]) -> None:
    report.proved += 1
    # A row is sealed some time after it was made: what this head did not know yet may be older than the head itself.
    signed = first_id(datetime.fromtimestamp(claims["iat"], UTC) - LAG)
    for name, place in claims["streams"].items():
        chains.expect(name, place["seq"], place["hash"], number=claims["number"])
        # What was sealed after a head that has not expired itself cannot have expired.
        if place["seq"] < chains.start.get(name, 0) and signed >= retention.expired_before(name):
            chains.problems.append(f"{name} {place['seq'] + 1}: was cut off before its time")


def _strangers(chains: Chains, report: Report) -> None:
    """Rows of the log that are in no chain: young ones wait for their turn, old ones were put there behind our back."""
    settled_to = Sealer.objects.filter(pk=1).values_list("settled_to", flat=True).first() or FIRST_ID
    report.waiting = waiting(settled_to).count()
    last = FIRST_ID
    while page := list(EventRecord.objects.filter(pk__gt=last, pk__lt=settled_to).order_by("pk").values_list("pk", flat=True)[:PAGE]):
        linked = set(Link.objects.filter(event__gte=page[0], event__lte=page[-1]).values_list("event", flat=True))
        strangers = [row for row in page if row not in linked]
        if strangers:
            streams = dict(EventRecord.objects.filter(pk__in=strangers[:100]).values_list("pk", "stream"))
            chains.problems += [
                f"event {row}: is in the log, but in no chain" for row, stream in streams.items() if row >= retention.expired_before(stream)
            ]
        last = page[-1]
