"""Events on their way out: lanes are claimed with a lease, each sends its events one after the other, several lanes at a time.

The database is used by the calling thread only; threads beside it do nothing but HTTP, so one that waits for a slow receiver
holds neither a connection nor anybody else's events. Any number of processes may run this at once.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F

from idp.events import fanout, outbox
from idp.events.models import Delivery, EventRecord, Lane
from idp.kernel import clock, db, sealing
from idp.notifications import outages
from idp.notifications.pause import pause
from idp.notifications.receivers import Call, EventReceiver, NotNow, Refused
from idp.notifications.sending import Job, Sent, send

log = logging.getLogger(__name__)

SLOTS = 8
# A lease that has less than this left is renewed before the next call: one attempt may take up to the time-outs of its calls.
LEASE_MARGIN = timedelta(seconds=12)
# While calls are under way and slots are free, other lanes are looked for this often: nobody waits for somebody else's slow answer.
LOOK_EVERY = 0.5
KEPT_ATTEMPTS = 10
LONGEST_REQUESTED_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class Held:
    """A lane that we hold until `until`; `version` is what it was when its messages were last looked at."""

    pk: int
    receiver: str
    target: str
    key: Any
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
        with ThreadPoolExecutor(SLOTS, thread_name_prefix="deliver") as self.pool:
            while True:
                if (free := SLOTS - len(self.busy)) and time.monotonic() < self.stop:
                    for lane in claim(free, paused=self.known.paused()):
                        self.begin(lane)
                if not self.busy:
                    return self.attempts
                done, _ = wait(self.busy, timeout=LOOK_EVERY if len(self.busy) < SLOTS else None, return_when=FIRST_COMPLETED)
                for future in done:
                    lane, row = self.busy.pop(future)
                    self.finish(lane, row, future.result())

    def begin(self, lane: Held) -> None:
        """Send the lane's next message, or let go of the lane."""
        receiver: EventReceiver | None = fanout.receivers().get(lane.receiver)
        if receiver is None:
            release(lane, clock.now() + timedelta(minutes=1))  # it may come with the next release while two are running
            return
        while (found := self.next_of(lane, receiver)) is not None:
            lane, row = found
            self.attempts += 1
            sent = self.start(lane, row, receiver)
            if sent is None or not self.settle(lane, row, sent):
                return

    def next_of(self, lane: Held, receiver: EventReceiver) -> tuple[Held, Delivery] | None:
        """The message that is next, and the lane with enough time left for it. None: we have let go of the lane."""
        while True:
            if time.monotonic() >= self.stop:
                release(lane, clock.now())
                return None
            row = _first(lane, blocks=receiver.blocks)
            if row is not None and row.state == Delivery.State.WAITING:
                break
            if _close(lane) if row is None else _block(lane):
                return None
            again = _look_again(lane)
            if again is None:
                return None
            lane = again
        if lane.until - clock.now() < LEASE_MARGIN:
            renewed = _renew(lane)
            return None if renewed is None else (renewed, row)
        return lane, row

    def start(self, lane: Held, row: Delivery, receiver: EventReceiver) -> Sent | None:
        """Hand the calls to a thread; what needs none, or cannot be composed, is answered at once."""
        try:
            job = _prepare(row, receiver)
        except (Refused, NotNow) as outcome:
            return Sent(outcome, [])
        except (OperationalError, InterfaceError):  # the database is away
            raise
        except Exception as error:  # one broken event must not stop the others
            log.exception("delivery %s to %s could not be composed", row.pk, row.receiver)
            return Sent(NotNow(f"error: {type(error).__name__}"), [])
        if job is None:
            return Sent(None, [])
        self.busy[self.pool.submit(send, job)] = (lane, row)
        return None

    def finish(self, lane: Held, row: Delivery, sent: Sent) -> None:
        """A call came back: write the outcome down and go on with the lane."""
        if self.settle(lane, row, sent):
            self.begin(lane)

    def settle(self, lane: Held, row: Delivery, sent: Sent) -> bool:
        """Write the outcome down. False: the lane waits for another attempt, we have let go of it."""
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
                release(lane, due)
                return False
            outcome = Refused(f"gave up: {outcome.reason}")
        if isinstance(outcome, Refused):
            log.error("delivery %s to %s is dead after %d attempts (%s)", row.pk, row.receiver, row.attempts, outcome.reason)
            _write(row, state=Delivery.State.DEAD, done_at=clock.now(), last_error=outcome.reason[:128])
        else:
            _write(row, state=Delivery.State.DONE, done_at=clock.now(), last_error="", payload="")
        return True

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


def release(lane: Held, due_at: datetime) -> None:
    """Let go of a lane; somebody looks again at `due_at`."""
    Lane.objects.filter(pk=lane.pk, owner=lane.owner).update(due_at=due_at, owner="")


def _close(lane: Held) -> bool:
    # Only if nothing was added since its messages were read: the version is part of the row, so this cannot be overtaken.
    return bool(Lane.objects.filter(pk=lane.pk, owner=lane.owner, version=lane.version).delete()[0])


def _block(lane: Held) -> bool:
    return bool(Lane.objects.filter(pk=lane.pk, owner=lane.owner, version=lane.version).update(due_at=None, owner=""))


def _look_again(lane: Held) -> Held | None:
    version = Lane.objects.filter(pk=lane.pk, owner=lane.owner).values_list("version", flat=True).first()
    return None if version is None else replace(lane, version=version)


def _renew(lane: Held) -> Held | None:
    until = clock.now() + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    held = Lane.objects.filter(pk=lane.pk, owner=lane.owner).update(due_at=until)
    return replace(lane, until=until) if held else None


def _first(lane: Held, *, blocks: bool) -> Delivery | None:
    states = [Delivery.State.WAITING, Delivery.State.DEAD] if blocks else [Delivery.State.WAITING]
    rows = Delivery.objects.filter(lane=lane.key, receiver=lane.receiver, target=lane.target, state__in=states)
    return rows.order_by("sequence", "id").first()


def _prepare(row: Delivery, receiver: EventReceiver) -> Job | None:
    """Count the attempt and fix what it says, before it is made. None = there is nothing to tell (any more)."""
    if row.payload:
        try:
            stored = json.loads(sealing.unseal(row.payload, purpose=outbox.purpose(row.pk)))
        except sealing.SealBroken:
            raise Refused("payload does not open with any sealing key") from None
        calls: Sequence[Call] = [Call(**one) for one in stored]
    else:
        record = EventRecord.objects.filter(pk=row.event).first() if row.event else None
        if record is None:
            raise Refused("the event is no longer in the log")
        calls = receiver.compose(record, row)
        if not calls:
            return None
        text = json.dumps([call.stored() for call in calls], separators=(",", ":"))
        row.payload = sealing.seal(text.encode(), purpose=outbox.purpose(row.pk))
    row.attempts += 1
    # The person may have been erased since the row was read: then nothing of them is told, or written down again (EV-10).
    still_waits = Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING)
    if not still_waits.update(attempts=F("attempts") + 1, payload=row.payload):
        return None
    # Where to may have changed since the first attempt; what is said has not.
    address = getattr(receiver, "address", None)
    if address:
        calls = [replace(call, url=to) for call in calls if (to := address(call, row))]
    if not calls:
        return None
    return Job([(call, dict(receiver.headers(call, row))) for call in calls], receiver.accepts, row.attempts, not receiver.blocks)


def _write(row: Delivery, **changes: object) -> None:
    # A row that is not waiting any more was delivered by somebody who had the lane after us, or its person is erased.
    Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING).update(log=row.log, **changes)
