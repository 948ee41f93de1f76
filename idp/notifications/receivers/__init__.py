"""Receivers of outbox rows: functions `deliver(delivery_id: UUID, payload: dict) -> None`, listed in `settings.RECEIVERS`.

A receiver returns when the other side took the message, or raises one of the two below. Anything else that it raises counts
as temporary. Reasons are words of ours: what the other side said may hold an address or a credential and stays out.
"""

from __future__ import annotations


class Refused(Exception):
    """The other side will never take this message: no further attempt."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotNow(Exception):
    """It may work later. `unreachable` means the receiver as a whole, not this one message: leave it alone for a while."""

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreachable = unreachable
