"""Response types as sets of words, and where their answers may travel.

Spec: OAuth 2.0 Multiple Response Type Encoding Practices 2.1, 3, 5; OpenID Connect Core 3.2, 3.3.
"""

from __future__ import annotations

CODE = "code"
# In the order in which discovery lists them; words may come in any order in a request (Multiple Response Types 3).
SUPPORTED = ("code", "id_token", "id_token token", "code id_token", "code token", "code id_token token")
_CANONICAL = {frozenset(value.split()): value for value in SUPPORTED}
RESPONSE_MODES = ("query", "fragment", "form_post")


def canonical(value: str) -> str | None:
    """The supported response type with these words, or None. A word that stands twice is not the same type."""
    words = value.split(" ")
    return _CANONICAL.get(frozenset(words)) if len(words) == len(set(words)) else None


def default_mode(value: str | None) -> str:
    """Where the answer to a request of this response type goes unless it says otherwise (Multiple Response Types 5)."""
    return "fragment" if value is not None and carries_tokens(value) else "query"


def carries_tokens(value: str) -> bool:
    """Whether the front channel brings an ID token or access token: never in a query."""
    return not {"token", "id_token"}.isdisjoint(value.split())
