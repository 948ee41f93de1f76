"""Polled streams.

Spec: RFC 8936 2.2 (request), 2.3 (answer), 2.4 (poll, acknowledge, both).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from idp.kernel import clock
from idp.ssf.models import Stream, WaitingToken
from idp.ssf.streams import Invalid

log = logging.getLogger(__name__)

MOST_EVENTS = 100
MOST_ACKNOWLEDGED = 1000
KEEP = timedelta(days=7)
BATCH = 500


def poll(stream: Stream, document: Mapping[str, Any]) -> dict[str, Any]:
    """Take acknowledgements and error reports, hand out what waits, oldest first. Raises Invalid.

    Tokens come again until they are acknowledged. The answer is immediate also where `returnImmediately` is false: the
    time that the transmitter waits is its own choice (2.2), and waiting would keep a thread of the web process busy.
    """
    most = document.get("maxEvents", MOST_EVENTS)
    acknowledged, errors = document.get("ack", []), document.get("setErrs", {})
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise Invalid("maxEvents must be a number from 0 on")
    if not isinstance(acknowledged, list) or not all(isinstance(jti, str) for jti in acknowledged):
        raise Invalid("ack must be a list of token identifiers")
    if not isinstance(errors, dict):
        raise Invalid("setErrs must be an object")
    if len(acknowledged) + len(errors) > MOST_ACKNOWLEDGED:
        raise Invalid(f"at most {MOST_ACKNOWLEDGED} tokens can be acknowledged at once")
    done = [*acknowledged, *errors]
    if errors:
        # 2.6: the receiver will never take them. What it says stays out: it may quote the token.
        log.warning("ssf: stream %s refused %d tokens", stream.pk, len(errors))
    if done:
        WaitingToken.objects.filter(stream=stream, jti__in=done).delete()
    if stream.status != Stream.Status.ENABLED:
        return {"sets": {}}
    bound = min(most, MOST_EVENTS)
    rows = list(WaitingToken.objects.filter(stream=stream).order_by("pk").values_list("jti", "token")[: bound + 1])
    return {"sets": dict(rows[:bound]), "moreAvailable": len(rows) > bound}


def delete_expired() -> int:
    """Drop one batch of tokens that nobody fetched for a week."""
    old = list(WaitingToken.objects.filter(created_at__lt=clock.now() - KEEP).values_list("pk", flat=True)[:BATCH])
    return WaitingToken.objects.filter(pk__in=old).delete()[0] if old else 0
