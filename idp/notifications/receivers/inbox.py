"""The development inbox: every mail becomes a file in `IDP_DATA_DIR/inbox` instead of leaving the machine (`inbox:`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.mail.backends.base import BaseEmailBackend

from idp.notifications import inbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage


class EmailBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            inbox.store(message.message().as_bytes())
        return len(email_messages)
