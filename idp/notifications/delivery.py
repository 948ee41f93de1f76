"""From outbox row to receiver: claim with a lease, deliver, retry in the database, give up, forget the payload."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from idp.events import catalogue, emit, fanout, outbox
from idp.events.changes import diff
from idp.events.models import Delivery
from idp.kernel import clock, sealing
from idp.notifications import lanes, outages
from idp.notifications.pause import pause
from idp.notifications.receivers import NotNow, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from uuid import UUID

    Receiver = Callable[[UUID, dict[str, object]], None]

log = logging.getLogger(__name__)

# One run ends well before Celery's task time limit and its soft shutdown; the task then asks for another run.
RUN_SECONDS = 15.0
# Messages and events take turns, so that a pile of the one does not keep the other waiting.
TURN_SECONDS = 5.0
GIVE_UP_AFTER = timedelta(hours=24)


class Run(NamedTuple):
    """What one run did: rows it took, and whether it stopped for lack of time rather than of work."""

    taken: int
    more: bool


def deliver_due(*, seconds: float = RUN_SECONDS) -> Run:
    """Deliver what is due until nothing is or `seconds` have passed. Any number of these may run at once.

    A receiver that is unreachable is left alone for the rest of the run: one time-out per run, not one per row.
    """
    stop = time.monotonic() + seconds
    unreachable: set[str] = set()
    taken = 0
    while (left := stop - time.monotonic()) > 0:
        messages = _deliver_messages(min(left, TURN_SECONDS), unreachable)
        attempts = lanes.deliver_events(seconds=min(max(stop - time.monotonic(), 0), TURN_SECONDS))
        taken += messages.taken + attempts
        if not messages.more and not attempts:
            return Run(taken, more=False)
    return Run(taken, more=True)


def _deliver_messages(seconds: float, unreachable: set[str]) -> Run:
    """Mail and other messages of their own, row by row."""
    stop = time.monotonic() + seconds
    known = outages.Known()
    taken = 0
    while time.monotonic() < stop:
        delivery = claim(without=unreachable.union(receiver for receiver, _ in known.paused()))
        if delivery is None:
            return Run(taken, more=False)
        taken += 1
        if not attempt(delivery):
            unreachable.add(delivery.receiver)
            outages.failed(delivery.receiver, "")
        elif known.has(delivery.receiver, ""):
            outages.ended(delivery.receiver, "")
            known.look()
    return Run(taken, more=True)


def claim(*, without: Collection[str] = ()) -> Delivery | None:
    """Take the row that has been due for longest, under a lease of our own; None when nothing is due.

    On PostgreSQL rows that others are just claiming are skipped. Everywhere the claim itself is a compare-and-set on what was
    read. The attempt is counted here, before it is made: a row that kills its worker cannot come back for ever.
    """
    skip_locked = connection.features.has_select_for_update_skip_locked
    while True:
        with transaction.atomic() if skip_locked else contextlib.nullcontext():
            now = clock.now()
            due = (
                Delivery.objects.filter(state=Delivery.State.WAITING, lane=None, due_at__lte=now)
                .exclude(receiver__in=without)
                .order_by("due_at")
            )
            row = (due.select_for_update(skip_locked=True) if skip_locked else due).first()
            if row is None:
                return None
            owner = secrets.token_hex(16)
            until = now + timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
            claimed = Delivery.objects.filter(
                pk=row.pk, state=Delivery.State.WAITING, due_at=row.due_at, lease_owner=row.lease_owner, attempts=row.attempts
            ).update(due_at=until, lease_until=until, lease_owner=owner, attempts=row.attempts + 1)
        if claimed:
            row.due_at, row.lease_until, row.lease_owner, row.attempts = until, until, owner, row.attempts + 1
            return row


def attempt(delivery: Delivery) -> bool:
    """Make one attempt with a claimed row and write down the outcome. False when the receiver as a whole is unreachable."""
    if delivery.expires_at is not None and delivery.expires_at <= clock.now():
        _end(delivery, Delivery.State.EXPIRED, "expired before it could be sent", forget=True)
        return True
    try:
        payload = json.loads(sealing.unseal(delivery.payload, purpose=outbox.purpose(delivery.pk)))
    except sealing.SealBroken:
        _end(delivery, Delivery.State.DEAD, "payload does not open with any sealing key")
        return True
    path = settings.RECEIVERS.get(delivery.receiver)
    if path is None:
        _retry(delivery, "no such receiver")  # it may come with the next release while two are running
        return True
    receiver: Receiver = import_string(path)
    began, at = time.monotonic(), clock.now()
    try:
        receiver(delivery.pk, payload)
    except Refused as outcome:
        _note(delivery, at, began, outcome.reason)
        _end(delivery, Delivery.State.DEAD, outcome.reason)
    except NotNow as outcome:
        _note(delivery, at, began, outcome.reason)
        _retry(delivery, outcome.reason)
        return not outcome.unreachable
    except Exception as error:  # noqa: BLE001 (one broken receiver or message must not stop the others)
        # The type only: the text may quote the payload.
        _note(delivery, at, began, f"error: {type(error).__name__}")
        _retry(delivery, f"error: {type(error).__name__}")
    else:
        _note(delivery, at, began, "taken")
        _end(delivery, Delivery.State.DONE, "", forget=True)
    return True


def _note(delivery: Delivery, at: datetime, began: float, outcome: str) -> None:
    entry = {
        "attempt": delivery.attempts,
        "at": at.isoformat(timespec="milliseconds"),
        "milliseconds": round((time.monotonic() - began) * 1000),
        "outcome": outcome,
    }
    delivery.log = [*delivery.log, entry][-lanes.KEPT_ATTEMPTS :]


def may_retry(delivery: Delivery) -> bool:
    """Whether it can be sent again: an event whose record is there, delivered or not; a dead message that still knows what it said."""
    if delivery.state == Delivery.State.WAITING:
        return False
    if delivery.event is not None:
        return delivery.state != Delivery.State.EXPIRED
    dead = delivery.state == Delivery.State.DEAD and bool(delivery.payload)
    return dead and (delivery.expires_at is None or delivery.expires_at > clock.now())


def retry(delivery_id: UUID, *, by: UUID | None = None) -> bool:
    """Put a message back in the line, for one attempt at least; `by` is who asked for it. False = it cannot be sent again."""
    with transaction.atomic():
        row = Delivery.objects.filter(pk=delivery_id).first()
        if row is None or not may_retry(row):
            return False
        now = clock.now()
        back = Delivery.objects.filter(pk=row.pk, state=row.state).update(
            state=Delivery.State.WAITING, due_at=now, waiting_since=now, done_at=None, lease_until=None, lease_owner=""
        )
        if not back:
            return False
        emit(
            catalogue.DeliveryRetried(delivery=str(row.pk), receiver=row.receiver),
            by=by,
            changes=diff({"state": row.state}, {"state": "waiting"}),
        )
        if row.lane is None:
            outbox.wake_after_commit()
        else:
            fanout.open_lanes([(row.receiver, row.target, row.lane)], moment=now, priority=catalogue.Priority.NORMAL, unblock=True)
    return True


def skip(delivery_id: UUID, *, by: UUID | None = None) -> bool:
    """Give a dead message up for good, so that the later ones of its lane can leave. False = it is not dead."""
    with transaction.atomic():
        row = Delivery.objects.filter(pk=delivery_id, state=Delivery.State.DEAD).first()
        if row is None:
            return False
        now = clock.now()
        if not Delivery.objects.filter(pk=row.pk, state=Delivery.State.DEAD).update(state=Delivery.State.EXPIRED, payload="", done_at=now):
            return False
        emit(
            catalogue.DeliverySkipped(delivery=str(row.pk), receiver=row.receiver),
            by=by,
            changes=diff({"state": row.state}, {"state": "expired"}),
        )
        if row.lane is not None:
            fanout.open_lanes([(row.receiver, row.target, row.lane)], moment=now, priority=catalogue.Priority.NORMAL, unblock=True)
    return True


def _retry(delivery: Delivery, reason: str) -> None:
    now = clock.now()
    if now - delivery.waiting_since >= GIVE_UP_AFTER:
        _end(delivery, Delivery.State.DEAD, f"gave up: {reason}")
        return
    due = now + pause(delivery.attempts)
    if delivery.expires_at is not None:
        due = min(due, delivery.expires_at)
    log.warning("delivery %s to %s: attempt %d failed (%s)", delivery.pk, delivery.receiver, delivery.attempts, reason)
    _write(delivery, due_at=due, last_error=reason[:128])


def _end(delivery: Delivery, state: Delivery.State, reason: str, *, forget: bool = False) -> None:
    if state is Delivery.State.DEAD:
        log.error("delivery %s to %s is dead after %d attempts (%s)", delivery.pk, delivery.receiver, delivery.attempts, reason)
    changes: dict[str, object] = {"state": state, "last_error": reason[:128], "done_at": clock.now()}
    if forget:
        changes["payload"] = ""
    _write(delivery, **changes)


def _write(delivery: Delivery, **changes: object) -> None:
    """Only the holder of the lease writes: one that came too late must not overwrite the outcome of its successor."""
    held = Delivery.objects.filter(pk=delivery.pk, lease_owner=delivery.lease_owner)
    if not held.update(lease_until=None, lease_owner="", log=delivery.log, **changes):
        log.warning("delivery %s to %s: the lease was lost, another worker has the row", delivery.pk, delivery.receiver)
