"""Events on their way out: lanes are claimed with a lease, each sends its events one after the other, several lanes at a time.

The database is used by the calling thread only; threads beside it do nothing but HTTP, so one that waits for a slow receiver
holds neither a connection nor anybody else's events. What several lanes need of the database at the same moment is one statement.
Any number of processes may run this at once.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from idp.events import fanout, outbox
from idp.events.models import Delivery, EventRecord
from idp.kernel import clock, db, sealing
from idp.notifications import outages
from idp.notifications.pause import pause
from idp.notifications.receivers import Call, EventReceiver, NotNow, Refused
from idp.notifications.sending import Job, Sent, send

log = logging.getLogger(__name__)

# Calls at a time; twice as many while several lanes that were served go on with their next message.
SLOTS = 8
# A lease that has less than this left is renewed before the next call: one attempt may take up to the time-outs of its calls.
LEASE_MARGIN = timedelta(seconds=12)
# While calls are under way and slots are free, other lanes are looked for this often: nobody waits for somebody else's slow answer.
LOOK_EVERY = 0.5
KEPT_ATTEMPTS = 10
LONGEST_REQUESTED_PAUSE = 3600.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Held:
    """A lane that we hold until `until`; `version` is what it was when its messages were last looked at."""

    pk: int
    receiver: str
    target: str
    key: UUID
    version: int
    owner: str
    until: datetime


def deliver_events(*, seconds: float) -> int:
    """Deliver what is due for at most `seconds` (and the calls that then run), or until nothing is; returns how many attempts."""
    return _Run(seconds).run()


class _Run:
    def __init__(self, seconds: float) -> None:
        self.stop = time.monotonic() + seconds
        self.busy: dict[Future[Sent], tuple[Held, Delivery]] = {}
        self.attempts = 0
        self.known = outages.Known()
        # Lanes that failed since the last success, per receiver and target: one person's trouble is not an outage.
        self.failing: dict[tuple[str, str], set[object]] = {}

    def run(self) -> int:
        lanes: list[Held] = []
        with ThreadPoolExecutor(2 * SLOTS, thread_name_prefix="deliver") as self.pool:
            while True:
                free = min(SLOTS - len(self.busy), 2 * SLOTS - len(self.busy) - len(lanes))
                if free > 0 and time.monotonic() < self.stop:
                    lanes += claim(free, paused=self.known.paused())
                self.go_on(lanes)
                if self.busy:
                    done, _ = wait(self.busy, timeout=LOOK_EVERY if len(self.busy) < SLOTS else None, return_when=FIRST_COMPLETED)
                    lanes = self.settle([(*self.busy.pop(future), future.result()) for future in done])
                elif lanes:
                    lanes = []  # they had nothing to tell; there may be others
                else:
                    return self.attempts

    def go_on(self, lanes: Sequence[Held]) -> None:
        """Send the next message of each of these lanes, or let go of the lane."""
        while lanes:
            if time.monotonic() >= self.stop:
                release(lanes, clock.now())
                return
            receivers = fanout.receivers()
            unknown = [lane for lane in lanes if lane.receiver not in receivers]
            release(unknown, clock.now() + timedelta(minutes=1))  # it may come with the next release while two are running
            first = _first([lane for lane in lanes if lane.receiver in receivers])
            waiting = [lane for lane in lanes if lane.pk in first and first[lane.pk].state == Delivery.State.WAITING]
            stuck = [lane for lane in lanes if lane.pk in first and first[lane.pk].state != Delivery.State.WAITING]
            over = [lane for lane in lanes if lane.pk not in first and lane.receiver in receivers]
            gone = _close(over) | _block(stuck)
            changed = _look_again([lane for lane in (*over, *stuck) if lane.pk not in gone])
            answered = self.start([(lane, first[lane.pk]) for lane in _with_time_left(waiting)])
            lanes = [*changed, *self.settle(answered)]

    def start(self, found: Sequence[tuple[Held, Delivery]]) -> list[tuple[Held, Delivery, Sent]]:
        """Hand the calls to threads; what needs none, or cannot be composed, is answered at once."""
        self.attempts += len(found)
        receivers: Mapping[str, EventReceiver] = fanout.receivers()
        records = _records(row for _, row in found)
        answered: list[tuple[Held, Delivery, Sent]] = []
        composed: list[tuple[Held, Delivery, Sequence[Call]]] = []
        for lane, row in found:
            calls = _unless_it_fails(row, _calls, receivers[row.receiver], records.get(row.event) if row.event else None)
            if isinstance(calls, Sent):
                answered.append((lane, row, calls))
            elif calls:
                composed.append((lane, row, calls))
            else:
                answered.append((lane, row, Sent(None, [])))  # there is nothing to tell (any more)
        counted = _count([row for _, row, _ in composed])
        for lane, row, calls in composed:
            # The person may have been erased since the row was read: then nothing of them is told, or written down again (EV-10).
            job = _unless_it_fails(row, _job, receivers[row.receiver], calls) if row.pk in counted else Sent(None, [])
            if isinstance(job, Sent):
                answered.append((lane, row, job))
            else:
                self.busy[self.pool.submit(send, job)] = (lane, row)
        return answered

    def settle(self, done: Sequence[tuple[Held, Delivery, Sent]]) -> list[Held]:
        """Write the outcomes down. Returns the lanes that go on; of those that wait for another attempt we have let go."""
        taken: list[Delivery] = []
        going_on: list[Held] = []
        for lane, row, sent in done:
            row.log = [*row.log, *sent.entries][-KEPT_ATTEMPTS:]
            receiver: EventReceiver = fanout.receivers()[row.receiver]
            outcome = sent.outcome
            if sent.entries:
                refused = isinstance(outcome, Refused) and getattr(receiver, "refusals_are_failures", False)
                self.note_outage(row, receiver, failed=isinstance(outcome, NotNow) and outcome.unreachable, refused=refused)
            if isinstance(outcome, NotNow):
                now = clock.now()
                if now - row.waiting_since < receiver.gives_up_after:
                    due = now + max(pause(row.attempts), timedelta(seconds=min(outcome.after, LONGEST_REQUESTED_PAUSE)))
                    log.warning("delivery %s to %s: attempt %d failed (%s)", row.pk, row.receiver, row.attempts, outcome.reason)
                    _write(row, due_at=due, last_error=outcome.reason[:128])
                    release([lane], due)
                    continue
                outcome = Refused(f"gave up: {outcome.reason}")
            if isinstance(outcome, Refused):
                log.error("delivery %s to %s is dead after %d attempts (%s)", row.pk, row.receiver, row.attempts, outcome.reason)
                _write(row, state=Delivery.State.DEAD, done_at=clock.now(), last_error=outcome.reason[:128])
            else:
                taken.append(row)
            going_on.append(lane)
        _end(taken)
        return going_on

    def note_outage(self, row: Delivery, receiver: EventReceiver, *, failed: bool, refused: bool) -> None:
        """Keep the count of failures without a success. Who refuses does answer: that is no reason to leave them alone."""
        failing = self.failing.setdefault((row.receiver, row.target), set())
        if failed:
            failing.add(row.lane)
        if failed or refused:
            outages.failed(row.receiver, row.target, pausing=len(failing) > outages.TOLERATED)
            self.known.look()
            if since := self.known.since(row.receiver, row.target):
                receiver.failed_for_long(row, since=clock.now() - since)
            return
        failing.clear()
        if self.known.has(row.receiver, row.target):
            outages.ended(row.receiver, row.target)
            self.known.look()


def claim(most: int, *, paused: Sequence[tuple[str, str]] = ()) -> list[Held]:
    """Take up to `most` lanes that are due, urgent ones first, under a lease of our own.

    On PostgreSQL rows that others are just claiming are skipped; on SQLite the statement is alone.
    """
    now = clock.now()
    until = now + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    owner = secrets.token_hex(16)
    without = "".join(" AND NOT (receiver = %s AND target = %s)" for _ in paused)
    skip = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    rows = db.rows(
        "UPDATE events_lane SET due_at = %s, owner = %s WHERE due_at <= %s AND id IN "  # noqa: S608  constants
        f"(SELECT id FROM events_lane WHERE due_at <= %s{without} ORDER BY priority, due_at LIMIT {int(most)}{skip}) "
        "RETURNING id, receiver, target, key, version",
        [until, owner, now, now, *(part for one in paused for part in one)],
    )
    return [Held(pk, receiver, target, db.as_uuid(key), version, owner, until) for pk, receiver, target, key, version in rows]


def release(lanes: Sequence[Held], due_at: datetime) -> None:
    """Let go of lanes; somebody looks again at `due_at`."""
    _change_ours(lanes, "UPDATE events_lane SET due_at = %s, owner = '' WHERE", [due_at])


def _close(lanes: Sequence[Held]) -> set[int]:
    # Only if nothing was added since its messages were read: the version is part of the row, so this cannot be overtaken.
    return _change_ours(lanes, "DELETE FROM events_lane WHERE", [], unchanged=True)


def _block(lanes: Sequence[Held]) -> set[int]:
    return _change_ours(lanes, "UPDATE events_lane SET due_at = NULL, owner = '' WHERE", [], unchanged=True)


def _with_time_left(lanes: Sequence[Held]) -> list[Held]:
    """Those that are still ours, with enough time for an attempt."""
    now = clock.now()
    short = [lane for lane in lanes if lane.until - now < LEASE_MARGIN]
    until = now + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    ours = _change_ours(short, "UPDATE events_lane SET due_at = %s WHERE", [until])
    kept = [lane for lane in lanes if lane not in short]
    return kept + [replace(lane, until=until) for lane in short if lane.pk in ours]


def _change_ours(lanes: Sequence[Held], statement: str, values: Sequence[object], *, unchanged: bool = False) -> set[int]:
    """Run a statement on those of the lanes that are ours (and to which nothing was added); which these were."""
    if not lanes:
        return set()
    condition, ours = _ours(lanes, unchanged=unchanged)
    return {found for (found,) in db.rows(f"{statement} {condition} RETURNING id", [*values, *ours])}


def _look_again(lanes: Sequence[Held]) -> list[Held]:
    if not lanes:
        return []
    condition, ours = _ours(lanes)
    versions = dict(db.rows(f"SELECT id, version FROM events_lane WHERE {condition}", ours))  # noqa: S608  constants
    return [replace(lane, version=versions[lane.pk]) for lane in lanes if lane.pk in versions]


def _ours(lanes: Sequence[Held], *, unchanged: bool = False) -> tuple[str, list[object]]:
    if unchanged:
        return " OR ".join(["(id = %s AND owner = %s AND version = %s)"] * len(lanes)), [
            value for lane in lanes for value in (lane.pk, lane.owner, lane.version)
        ]
    return " OR ".join(["(id = %s AND owner = %s)"] * len(lanes)), [value for lane in lanes for value in (lane.pk, lane.owner)]


def _first(lanes: Sequence[Held]) -> dict[int, Delivery]:
    """The message of each lane that is next: the first that waits, or is dead where that blocks. Lanes without one are missing."""
    if not lanes:
        return {}
    one = (
        f"SELECT * FROM (SELECT %s AS held, {db.columns(Delivery, 'd')} FROM events_delivery d "  # noqa: S608  constants
        "WHERE d.lane = %s AND d.receiver = %s AND d.target = %s AND d.state IN ('waiting', 'dead') AND d.state IN ('waiting', %s) "
        "ORDER BY d.sequence, d.id LIMIT 1) AS first"
    )
    values: list[object] = []
    for position, lane in enumerate(lanes):
        stops = Delivery.State.DEAD if fanout.receivers()[lane.receiver].blocks else Delivery.State.WAITING
        values += [str(position), lane.key, lane.receiver, lane.target, str(stops)]
    rows = db.rows(" UNION ALL ".join([one] * len(lanes)), values)
    return {lanes[int(row[0])].pk: db.instance(Delivery, row[1:]) for row in rows}


def _records(rows: Iterable[Delivery]) -> Mapping[UUID, EventRecord]:
    """The events of those rows whose calls are not fixed yet."""
    wanted = [row.event for row in rows if row.event and not row.payload]
    return {record.pk: record for record in EventRecord.objects.filter(pk__in=wanted)} if wanted else {}


def _unless_it_fails(row: Delivery, step: Callable[..., _Result], *arguments: object) -> _Result | Sent:
    """`step(row, *arguments)`, or what its failure means for the attempt."""
    try:
        return step(row, *arguments)
    except (Refused, NotNow) as outcome:
        return Sent(outcome, [])
    except (OperationalError, InterfaceError):  # the database is away
        raise
    except Exception as error:  # one broken event must not stop the others
        log.exception("delivery %s to %s could not be composed", row.pk, row.receiver)
        return Sent(NotNow(f"error: {type(error).__name__}"), [])


def _calls(row: Delivery, receiver: EventReceiver, record: EventRecord | None) -> Sequence[Call]:
    """What tells the event: as it was fixed at the first attempt, or composed for it now."""
    if row.payload:
        try:
            stored = json.loads(sealing.unseal(row.payload, purpose=outbox.purpose(row.pk)))
        except sealing.SealBroken:
            raise Refused("payload does not open with any sealing key") from None
        return [Call(**one) for one in stored]
    if record is None:
        raise Refused("the event is no longer in the log")
    calls = receiver.compose(record, row)
    if calls:
        text = json.dumps([call.stored() for call in calls], separators=(",", ":"))
        row.payload = sealing.seal(text.encode(), purpose=outbox.purpose(row.pk))
    return calls


def _count(rows: Sequence[Delivery]) -> set[UUID]:
    """Count the attempts and fix what they say, before they are made. Returns which rows still wait."""
    if not rows:
        return set()
    counted = db.rows(
        "UPDATE events_delivery SET attempts = attempts + 1, "  # noqa: S608  constants
        f"payload = CASE id {'WHEN %s THEN %s ' * len(rows)}ELSE payload END "
        f"WHERE id IN ({_places(rows)}) AND state = 'waiting' RETURNING id",
        [*(value for row in rows for value in (row.pk, row.payload)), *(row.pk for row in rows)],
    )
    for row in rows:
        row.attempts += 1
    return {db.as_uuid(found) for (found,) in counted}


def _job(row: Delivery, receiver: EventReceiver, calls: Sequence[Call]) -> Job | Sent:
    # Where to may have changed since the first attempt; what is said has not.
    address = getattr(receiver, "address", None)
    if address:
        calls = [replace(call, url=to) for call in calls if (to := address(call, row))]
    if not calls:
        return Sent(None, [])
    return Job([(call, dict(receiver.headers(call, row))) for call in calls], receiver.accepts, row.attempts, not receiver.blocks)


# A row that is not waiting any more was delivered by somebody who had the lane after us, or its person is erased.
def _write(row: Delivery, **changes: object) -> None:
    Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING).update(log=row.log, **changes)


def _end(rows: Sequence[Delivery]) -> None:
    """These were taken."""
    if rows:
        db.change(
            "UPDATE events_delivery SET state = 'done', done_at = %s, last_error = '', payload = '', "  # noqa: S608  constants
            f"log = CASE id {'WHEN %s THEN %s ' * len(rows)}ELSE log END WHERE id IN ({_places(rows)}) AND state = 'waiting'",
            [clock.now(), *(value for row in rows for value in (row.pk, row.log)), *(row.pk for row in rows)],
        )


def _places(rows: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(rows))
