"""What an answer that proves nothing is turned into; all that a browser can send ends here or is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from django.db import DatabaseError

Why = Literal["expired", "unknown_passkey", "wrong_passkey", "suspected_copy", "known_already", "too_many", "unattested"]


class Refused(Exception):
    """`why` is a word of ours, for the page and the log; `detail` is for whoever debugs, and never shown."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}")
        self.why = why


@contextmanager
def hostile_input() -> Iterator[None]:
    """Around whatever parses: fido2 leaks IndexError, struct.error, AttributeError, RecursionError … on malformed CBOR and JSON."""
    try:
        yield
    except (Refused, DatabaseError):
        raise
    except Exception as error:  # noqa: BLE001  # see above; the database's own errors pass
        raise Refused("wrong_passkey", type(error).__name__) from None
