"""Receivers of outbox rows.

Messages of their own (mail, text messages, logout tokens): functions `deliver(delivery_id: UUID, payload: dict) -> None`, listed in
`settings.RECEIVERS`. A receiver returns when the other side took the message, or raises one of the two exceptions below.
Anything else that it raises counts as temporary.

Events: objects like `EventReceiver`, listed in `settings.EVENT_RECEIVERS`. They say who wants an event and which HTTP calls tell it;
sending, order, retries and the log are the same for all of them (`idp.notifications.lanes`).

Reasons are words of ours: what the other side said may hold an address or a credential and stays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from idp.events.catalogue import Event
    from idp.events.models import Delivery, EventRecord


class Refused(Exception):
    """The other side will never take this message: no further attempt."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotNow(Exception):
    """It may work later; not before `after` seconds, if the other side said so.

    `unreachable` means the receiver as a whole, not this one message: leave it alone for a while.
    """

    def __init__(self, reason: str, *, unreachable: bool = False, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreachable = unreachable
        self.after = after


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request that tells an event. Kept sealed with the delivery, so that a repetition has the same bytes (EV-03).

    `key` is the message's id; `body` is JSON or empty; `personal` says that its values are personal data.
    """

    method: str
    url: str
    key: str
    body: str = ""
    personal: bool = False

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class EventReceiver(Protocol):
    """Who gets events. One that has a method `address(call, delivery) -> str` says anew at each attempt where a kept call goes to;
    empty = nowhere, it is not needed any more. With `refusals_are_failures` a target that refuses everything for long has failed for long.
    """

    # Whether a dead message holds up the later ones of its lane until somebody looks at it.
    blocks: bool
    gives_up_after: timedelta

    def targets(self, event: Event) -> Sequence[str]:
        """For whom there will be a delivery (`idp.events.fanout.Wants`). Without SQL while nothing changes."""

    def compose(self, record: EventRecord, delivery: Delivery) -> Sequence[Call]:
        """The calls that tell this event, in order; none = nobody needs to know. Raises Refused."""

    def headers(self, call: Call, delivery: Delivery) -> Mapping[str, str]:
        """Fresh headers for one attempt: credentials, signature. Raises Refused or NotNow."""

    def accepts(self, call: Call, status: int) -> bool:
        """Whether this answer means that the other side has it, or needs it no more."""

    def failed_for_long(self, delivery: Delivery, *, since: timedelta) -> None:
        """The target has failed since that time without a success; called now and then."""
