"""Pushes that are about the stream itself: verification, change of status (RFC 8935)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from idp.kernel import outbound
from idp.notifications.receivers import NotNow, Refused
from idp.ssf.models import Stream
from idp.ssf.receiver import push_headers


def deliver(_delivery_id: UUID, payload: Mapping[str, Any]) -> None:
    """The receiver of the outbox: one token to one stream. Raises Refused, NotNow."""
    stream = Stream.objects.filter(pk=payload["stream"], method=Stream.Method.PUSH).first()
    if stream is None:
        return  # gone meanwhile
    try:
        answer = outbound.fetch(stream.endpoint_url, method="POST", headers=push_headers(stream), content=payload["token"].encode())
    except outbound.Refused:
        raise Refused("the address may not be contacted") from None
    except outbound.OutboundError as error:
        raise NotNow(f"no answer: {type(error).__name__}") from None
    if 200 <= answer.status < 300:
        return
    if 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
        raise Refused(f"the receiver answered {answer.status}")
    raise NotNow(f"the receiver answered {answer.status}")
