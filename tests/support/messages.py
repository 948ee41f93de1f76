"""Text messages that wait in the outbox, opened the way the worker does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from idp.events.models import Delivery
from idp.events.outbox import purpose
from idp.kernel import clock, sealing


@dataclass(frozen=True)
class Message:
    to: str
    text: str

    @property
    def code(self) -> str:
        return re.search(r"#(\d{6})$", self.text)[1]


def messages(to: str | None = None) -> list[Message]:
    """All text messages that will be sent, oldest first; what has expired on purpose is not one."""
    rows = Delivery.objects.filter(receiver="sms", state="waiting").order_by("id")
    alive = [row for row in rows if row.expires_at is None or row.expires_at > clock.now()]
    opened = (Message(**json.loads(sealing.unseal(row.payload, purpose=purpose(row.pk)))) for row in alive)
    return [message for message in opened if to is None or message.to == to]
