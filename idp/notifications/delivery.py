"""From outbox row to receiver: claim with a lease, deliver, retry in the database, give up, forget the payload."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from idp.events import catalogue, emit, outbox
from idp.events.models import Delivery
from idp.kernel import clock, sealing
from idp.notifications.receivers import NotNow, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    Receiver = Callable[[UUID, dict[str, object]], None]

log = logging.getLogger(__name__)

# One run ends well before Celery's task time limit; the task then asks for another run.
RUN_SECONDS = 30.0
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 15 * 60.0
GIVE_UP_AFTER = timedelta(hours=24)


class Run(NamedTuple):
    """What one run did: rows it took, and whether it stopped for lack of time rather than of work."""

    taken: int
    more: bool


def deliver_due(*, seconds: float = RUN_SECONDS) -> Run:
    """Deliver what is due, row by row, until nothing is or `seconds` have passed. Any number of these may run at once.

    A receiver that is unreachable is left alone for the rest of the run: one time-out per run, not one per row.
    """
    stop = time.monotonic() + seconds
    unreachable: set[str] = set()
    taken = 0
    while time.monotonic() < stop:
        delivery = claim(without=unreachable)
        if delivery is None:
            return Run(taken, more=False)
        taken += 1
        if not attempt(delivery):
            unreachable.add(delivery.receiver)
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
    try:
        receiver(delivery.pk, payload)
    except Refused as outcome:
        _end(delivery, Delivery.State.DEAD, outcome.reason)
    except NotNow as outcome:
        _retry(delivery, outcome.reason)
        return not outcome.unreachable
    except Exception as error:  # noqa: BLE001 (one broken receiver or message must not stop the others)
        # The type only: the text may quote the payload.
        _retry(delivery, f"error: {type(error).__name__}")
    else:
        _end(delivery, Delivery.State.DONE, "", forget=True)
    return True


def may_retry(delivery: Delivery) -> bool:
    """Whether a dead message still knows what it wanted to say, and whether it is of use to anybody."""
    dead = delivery.state == Delivery.State.DEAD and bool(delivery.payload)
    return dead and (delivery.expires_at is None or delivery.expires_at > clock.now())


def retry(delivery_id: UUID, *, by: UUID | None = None) -> bool:
    """Put a dead message back in the line, for one attempt at least; `by` is who asked for it. False = it cannot be sent again."""
    with transaction.atomic():
        row = Delivery.objects.filter(pk=delivery_id).first()
        if row is None or not may_retry(row):
            return False
        now = clock.now()
        back = Delivery.objects.filter(pk=row.pk, state=Delivery.State.DEAD).update(
            state=Delivery.State.WAITING, due_at=now, done_at=None, lease_until=None, lease_owner=""
        )
        if not back:
            return False
        emit(catalogue.DeliveryRetried(delivery=str(row.pk), receiver=row.receiver), by=by)
        outbox.wake_after_commit()
    return True


def pause(attempts: int) -> timedelta:
    """Wait before the next attempt: exponential with full jitter, at most 15 minutes."""
    ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts, 16))
    return timedelta(seconds=random.uniform(1.0, ceiling))  # noqa: S311 (spreads load, guards nothing)


def _retry(delivery: Delivery, reason: str) -> None:
    now = clock.now()
    if now - delivery.created_at >= GIVE_UP_AFTER:
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
    if not held.update(lease_until=None, lease_owner="", **changes):
        log.warning("delivery %s to %s: the lease was lost, another worker has the row", delivery.pk, delivery.receiver)
