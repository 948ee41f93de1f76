"""Lists of words in one parameter: scope, prompt, acr_values, response types."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """The distinct words of a space-delimited list, in order (RFC 6749 3.3): a space delimits, no other white space does."""
    return tuple(dict.fromkeys(word for word in text.split(" ") if word))
