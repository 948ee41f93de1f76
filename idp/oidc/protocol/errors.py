"""One error type for every endpoint, and what a catalogue entry holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Destination(StrEnum):
    """Where a refusal is answered."""

    PAGE = "page"
    REDIRECT = "redirect"
    JSON = "json"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Refusal:
    r"""One entry of the catalogue (`refusals.py`).

    `code` is ours and stable. `error` is the value that the specification defines. `description` is public
    (printable ASCII without `"` and `\`, RFC 6749 5.2) and never holds what the caller sent.
    `expected` and `fix` are for the developer of the app; `clause` says which sentence of which specification decides.
    """

    code: str
    error: str
    clause: str
    description: str
    expected: str
    fix: str
    status: int = 400
    page: str = ""

    def __post_init__(self) -> None:
        if not all(0x20 <= ord(c) <= 0x7E and c not in '"\\' for c in self.description):
            raise ValueError(f"{self.code}: description leaves the character set of RFC 6749 5.2")


@dataclass
class OAuthError(Exception):
    """A refused request.

    `detail` is for logs and `explain` only. `headers` are added to the answer. `client_id` is set once the client is known.
    """

    refusal: Refusal
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.refusal.code}: {self.detail}" if self.detail else self.refusal.code
