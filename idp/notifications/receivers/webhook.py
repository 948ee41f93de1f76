"""Webhooks: each event as one signed POST (Standard Webhooks), in the order of the person's sequence."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta

from idp.events.catalogue import CATALOGUE, Event
from idp.events.models import Delivery, EventRecord
from idp.kernel import sealing
from idp.notifications import signature, webhooks
from idp.notifications.models import Webhook
from idp.notifications.receivers import Call, Refused


class Webhooks:
    """The receiver: one target per webhook. A dead message holds nothing up; whoever must not miss any looks at `sequence`."""

    blocks = False
    gives_up_after = timedelta(days=3)
    refusals_are_failures = True  # of an address that is wrong, or a signature that is not accepted, nobody would ever hear

    def targets(self, event: Event) -> Sequence[str]:
        return webhooks.wanting(event.name)

    def compose(self, record: EventRecord, delivery: Delivery) -> Sequence[Call]:
        return (Call("POST", _of(delivery).url, str(record.pk), body(record)),)

    def address(self, call: Call, delivery: Delivery) -> str:
        """As it is now."""
        return _of(delivery).url

    def headers(self, call: Call, delivery: Delivery) -> Mapping[str, str]:
        try:
            keys = webhooks.keys(_of(delivery))
        except sealing.SealBroken:
            raise Refused("keys do not open with any sealing key") from None
        return {
            "content-type": "application/json",
            **signature.headers(message_id=call.key, timestamp=int(time.time()), body=call.body, keys=keys),
        }

    def accepts(self, call: Call, status: int) -> bool:
        return 200 <= status < 300

    def failed_for_long(self, delivery: Delivery, *, since: timedelta) -> None:
        webhooks.disable_failing(delivery.target, since=since)


def body(record: EventRecord) -> str:
    """What a webhook gets: facts and identifiers. Where somebody was and with which browser stays here, and so do personal fields."""
    personal = getattr(CATALOGUE.get(record.name), "personal", ())
    message = {
        "type": record.name,
        "timestamp": record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "id": str(record.pk),
            "sub": str(record.person) if record.person else None,
            "sequence": record.sequence,
            "by": str(record.by) if record.by else None,
            "client_id": record.client_id or None,
            **{name: value for name, value in record.data.items() if name not in personal and name != "changes"},
        },
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _of(delivery: Delivery) -> Webhook:
    row = Webhook.objects.filter(pk=delivery.target).first()
    if row is None:
        raise Refused("the webhook was removed")
    if not row.enabled:
        raise Refused("the webhook is switched off")
    return row


RECEIVER = Webhooks()
