"""Where a page may send a person: places of ours, nothing else (hostile case BR-11, CWE-601)."""

from __future__ import annotations

from typing import TypeGuard
from urllib.parse import urlsplit

LONGEST = 2048


def is_local_path(url: str | None) -> TypeGuard[str]:
    """Whether `url` is a path on this host that every browser reads as one.

    Browsers drop tabs and line breaks, and take a backslash for `/` and `//host` for another host; so only printable ASCII that begins with
    exactly one slash passes.
    """
    if not url or len(url) > LONGEST or not url.startswith("/") or url.startswith("//") or "\\" in url:
        return False
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not parts.path.startswith("//")
