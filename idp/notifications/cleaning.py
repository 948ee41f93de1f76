"""Expired rows leave in bounded batches, while serving: runs the table `settings.CLEANERS`."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.module_loading import import_string

from idp.events import fanout
from idp.events.catalogue import Priority
from idp.events.models import Delivery
from idp.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

BATCH = 500
KEEP_DONE = timedelta(days=7)
KEEP_DEAD = timedelta(days=30)


def clean_up(*, seconds: float = 30.0) -> dict[str, int]:
    """Call every cleaner until it has nothing left or `seconds` have passed in all; returns rows per cleaner.

    They take turns, batch by batch, so a large table does not keep the others waiting; one that fails is logged and left out.
    """
    stop = time.monotonic() + seconds
    counts = dict.fromkeys(settings.CLEANERS, 0)
    busy = list(counts)
    while busy and time.monotonic() < stop:
        for path in tuple(busy):
            cleaner: Callable[[], int] = import_string(path)
            try:
                count = cleaner()
            except Exception:
                log.exception("cleaner %s failed", path)
                count = 0
            counts[path] += count
            if not count:
                busy.remove(path)
    return counts


def empty_expired_payloads() -> int:
    """Forget what dead messages wanted to say once it is of no use to anybody (links and codes in it have expired)."""
    rows = Delivery.objects.filter(state=Delivery.State.DEAD, expires_at__lte=clock.now()).exclude(payload="")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    return Delivery.objects.filter(pk__in=batch).update(payload="") if batch else 0


def delete_finished_deliveries() -> int:
    """Delete delivered and expired rows after a week, dead ones after a month."""
    now = clock.now()
    old = Q(state__in=[Delivery.State.DONE, Delivery.State.EXPIRED], done_at__lte=now - KEEP_DONE)
    old |= Q(state=Delivery.State.DEAD, done_at__lte=now - KEEP_DEAD)
    batch = list(Delivery.objects.filter(old)[:BATCH])
    if not batch:
        return 0
    with transaction.atomic():
        # What is dead and forgotten holds nothing up any more.
        stuck = [(row.receiver, row.target, row.lane) for row in batch if row.lane and row.state == Delivery.State.DEAD]
        if stuck:
            fanout.open_lanes(stuck, moment=now, priority=Priority.NORMAL, unblock=True)
        return Delivery.objects.filter(pk__in=[row.pk for row in batch]).delete()[0]
