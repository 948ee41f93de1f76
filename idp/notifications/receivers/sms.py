"""Text messages: to the development inbox, or to whatever gateway takes an HTTP POST (docs/text-messages.md)."""

from __future__ import annotations

import base64
import json
from email.message import EmailMessage
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.utils.timezone import now

from idp.kernel import outbound
from idp.notifications import inbox
from idp.notifications.receivers import NotNow, Refused

if TYPE_CHECKING:
    from uuid import UUID

SECONDS = 10.0


def deliver(delivery_id: UUID, payload: dict[str, Any]) -> None:
    """Send one message to one number. Payload: `to` (E.164), `text`. Raises Refused or NotNow; their reasons hold our words only."""
    to, text = payload.get("to"), payload.get("text")
    if not isinstance(to, str) or not isinstance(text, str):
        raise Refused("not a sendable message")
    url = settings.IDP.sms_url.get_secret_value()
    if not url:
        raise NotNow("IDP_SMS_URL is not set", unreachable=True)
    if url.startswith("inbox:"):
        _store(to, text)
        return
    _post(url, {"to": to, "text": text, "id": str(delivery_id)})


def request_for(url: str, message: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
    """Address, headers and body of the POST that carries `message` (to, text, id) to the gateway at `url`."""
    parts = urlsplit(url)
    headers = {"idempotency-key": message["id"]}  # sent again after a crash, it can be recognised as the same
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user:
        headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()  # RFC 7617
    elif password:
        headers["authorization"] = f"Bearer {password}"  # RFC 6750 2.1
    fields = {
        name: Template(value).safe_substitute(message) if isinstance(value, str) else value
        for name, value in json.loads(settings.IDP.sms_fields).items()
    }
    if settings.IDP.sms_format == "form":
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode(fields)
    else:
        headers["content-type"] = "application/json"
        body = json.dumps(fields)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), headers, body.encode()


def _post(url: str, message: dict[str, str]) -> None:
    address, headers, body = request_for(url, message)
    try:
        answer = outbound.fetch(address, method="POST", headers=headers, content=body, max_bytes=64 * 1024, seconds=SECONDS)
    except outbound.OutboundError as error:
        raise NotNow(f"gateway: {type(error).__name__}", unreachable=True) from None
    if 200 <= answer.status < 300:
        return
    if answer.status in (400, 404, 410, 413, 422):
        raise Refused(f"gateway answered {answer.status}")  # this message, or this number
    # Credentials, quota, an outage: not this one message.
    raise NotNow(f"gateway answered {answer.status}", unreachable=True)


def _store(to: str, text: str) -> None:
    message = EmailMessage()
    message["To"], message["Date"], message["Subject"] = to, now(), "SMS"
    message[inbox.KIND] = "sms"
    message.set_content(text)
    inbox.store(message.as_bytes())
