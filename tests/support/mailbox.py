"""Mails that wait in the outbox, opened the way the worker does, so that no test needs a worker to read one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from idp.events.models import Delivery
from idp.events.outbox import purpose
from idp.kernel import sealing


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str
    html: str

    @property
    def code(self) -> str:
        return re.search(r"^ +(\d{6})$", self.text, re.MULTILINE)[1]

    @property
    def links(self) -> list[str]:
        return re.findall(r"https?://\S+", self.text)


def mails(to: str | None = None) -> list[Mail]:
    """All mails that wait, oldest first; `to` chooses one recipient."""
    rows = Delivery.objects.filter(receiver="mail", state="waiting").order_by("id")
    opened = (Mail(**json.loads(sealing.unseal(row.payload, purpose=purpose(row.pk)))) for row in rows)
    return [mail for mail in opened if to is None or mail.to == to]
