"""What changed, member by member, old and new: the part of an event that says what staff, operator or app did to a thing.

The policy is here and nowhere else: a secret is never written, personal data is named but not repeated, sizes are bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Changes = dict[str, dict[str, Any]]

SECRET = "[secret]"
PERSONAL = "[personal]"
LONG = "[long]"
MOST_MEMBERS, MOST_ITEMS, MOST_TEXT, MOST_IN_ALL = 60, 20, 200, 16_000
_SECRET_WORDS = ("secret", "password", "private", "sealed", "digest", "registration_access")


def diff(
    before: Mapping[str, Any], after: Mapping[str, Any], *, personal: Collection[str] | None = (), secret: Collection[str] = ()
) -> Changes:
    """The members that differ: name to `{"old": …, "new": …}`; a side on which the member was absent is left out.

    Values of `personal` members become a mark (None = all of them are), and so do those of `secret` ones and of whatever is called so.
    Values are JSON-able.
    """
    changes: Changes = {}
    size = 0
    for name in sorted({*before, *after})[:MOST_MEMBERS]:
        if before.get(name) == after.get(name) and (name in before) == (name in after):
            continue
        mark = SECRET if name in secret or is_secret(name) else PERSONAL if personal is None or name in personal else None
        sides = {side: mark or _bounded(values[name]) for side, values in (("old", before), ("new", after)) if name in values}
        size += len(str(sides))
        changes[name] = sides if size < MOST_IN_ALL else dict.fromkeys(sides, LONG)
    return changes


def is_secret(name: str) -> bool:
    """Whether the value of a member of this name is never written down."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def _bounded(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        items = [_bounded(item) for item in value[:MOST_ITEMS]]
        return items if len(value) <= MOST_ITEMS else [*items, f"… ({len(value)})"]
    if isinstance(value, dict):
        return {
            str(name)[:MOST_TEXT]: SECRET if is_secret(str(name)) else _bounded(item) for name, item in list(value.items())[:MOST_ITEMS]
        }
    text = str(value)
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "…"
