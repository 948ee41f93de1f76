"""E-mail: multipart text and HTML through Django's backend that `IDP_EMAIL_URL` chose."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from idp.kernel import limits
from idp.notifications.receivers import NotNow, Refused

if TYPE_CHECKING:
    from uuid import UUID

LIMIT = "mail.recipient"
PER_HOUR = 60


def deliver(delivery_id: UUID, payload: dict[str, Any]) -> None:
    """Send one mail to one recipient. Payload: `to`, `subject`, `text`, optional `html`.

    The Message-ID comes from the row, so a mail that is sent again after a crash can be recognised as the same.
    Raises: Refused for a 5xx to the recipient or the content (RFC 5321 4.2.1), NotNow for everything that may pass.
    """
    # Exceptions of smtplib carry what the server said, which may echo addresses or credentials: only the reply code leaves
    # this function, and `from None` keeps the rest out of tracebacks.
    recipient = str(payload.get("to", "")).casefold()
    verdict = limits.peek(LIMIT, recipient, limit=PER_HOUR)
    if not verdict.allowed:
        # Whoever makes us write to somebody again and again, by whatever page: the mailbox gets no more than this.
        raise NotNow("too many mails to this recipient", after=verdict.retry_after)
    try:
        message = _message(delivery_id, payload)
        if get_connection(timeout=settings.EMAIL_TIMEOUT).send_messages([message]) != 1:
            raise ValueError("no recipient")  # Django leaves such a message out without a word
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=0)
        raise _answer("recipient", code) from None
    except smtplib.SMTPDataError as error:
        raise _answer("content", error.smtp_code) from None
    except smtplib.SMTPResponseException as error:
        # Sender, greeting or authentication: our configuration or their outage, not this message.
        raise NotNow(f"smtp server answered {error.smtp_code}", unreachable=True) from None
    except smtplib.SMTPException as error:
        raise NotNow(f"smtp: {type(error).__name__}", unreachable=True) from None
    except OSError as error:
        raise NotNow(f"smtp connection: {type(error).__name__}", unreachable=True) from None
    except (ValueError, KeyError, TypeError):
        raise Refused("not a sendable message") from None
    limits.hit(LIMIT, recipient, limit=PER_HOUR, seconds=3600)


def _message(delivery_id: UUID, payload: dict[str, Any]) -> EmailMultiAlternatives:
    domain = settings.IDP.issuer_host or "localhost"
    message = EmailMultiAlternatives(
        subject=payload["subject"],
        body=payload["text"],
        to=[payload["to"]],
        headers={"Message-ID": f"<{delivery_id.hex}@{domain}>", "Auto-Submitted": "auto-generated"},  # RFC 3834 5: no auto-replies
    )
    if payload.get("html"):
        message.attach_alternative(payload["html"], "text/html")
    return message


def _answer(what: str, code: int) -> Refused | NotNow:
    if 500 <= code <= 599:
        return Refused(f"{what} refused ({code})")
    return NotNow(f"{what} deferred ({code})")
