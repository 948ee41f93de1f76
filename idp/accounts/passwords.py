"""Passwords: one Unicode rule, the policy, and a hasher that cannot exhaust the machine.

NIST SP 800-63B-4 3.1.1: at least 15 characters where the password is the only factor, at least 64 allowed, no composition rules, a
blocklist on the whole password, Unicode normalised before hashing.
"""

from __future__ import annotations

import gzip
import re
import threading
import unicodedata
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import breached

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_LENGTH = 15
MAX_LENGTH = 128
# Longer than this in code points cannot be 128 characters after NFKC either way; nothing beyond is even normalised (PW-14).
MAX_INPUT = 4 * MAX_LENGTH
LONG_FILE = Path(__file__).parent / "common_long_passwords.txt"
_PADDING = "0123456789!.?*#@$%&+-_ "


class HashingBusy(Exception):
    """So many passwords wait to be hashed that answering "try again" is kinder than queueing (HTTP 503)."""


def normalise(password: str) -> str:
    """NFKC: the same password typed on another keyboard or system compares equal. Nothing is trimmed or folded."""
    return unicodedata.normalize("NFKC", password) if len(password) <= MAX_INPUT else password


def too_long(password: str) -> bool:
    """Whether `password` exceeds what we ever hash; refused before any hashing, as is NUL, which no keyboard types."""
    return len(password) > MAX_INPUT or len(normalise(password)) > MAX_LENGTH or "\x00" in password


def shortest(*, second_factor: bool) -> int:
    """Fewest characters of a password: fewer may do for somebody who has a second factor (NIST SP 800-63B-4 3.1.1.2)."""
    return min(MIN_LENGTH, settings.IDP.password_min_length_with_second_factor) if second_factor else MIN_LENGTH


def is_short(password: str) -> bool:
    """Whether only a second factor makes the length of `password` enough."""
    return len(normalise(password)) < MIN_LENGTH


def problems(password: str, *, context: tuple[str, ...] = (), fewest: int = MIN_LENGTH) -> list[str]:
    """Why `password` may not be set, in words for the person; empty when it may.

    `context`: words an attacker would try first, such as the address and the name. `fewest` characters: see `shortest`.
    """
    if too_long(password):
        return [_("Use at most %(limit)d characters.") % {"limit": MAX_LENGTH}]
    text = normalise(password)
    if len(text) < fewest:
        missing = fewest - len(text)
        return [
            ngettext(
                "Use at least %(limit)d characters: %(missing)d more is needed.",
                "Use at least %(limit)d characters: %(missing)d more are needed.",
                missing,
            )
            % {"limit": fewest, "missing": missing}
        ]
    if _is_common(text):
        return [_("This password is on the lists that attackers try first. Choose another one.")]
    if breached.contains(text, password):
        return [_("This password has become public in a data breach. Choose another one.")]
    if _is_made_of_context(text, context):
        return [_("This password is made of your address or our name, which is guessed first. Choose another one.")]
    return []


def validate(password: str, *, context: tuple[str, ...] = (), fewest: int = MIN_LENGTH) -> None:
    """Raise ValidationError with the first problem, if there is one."""
    found = problems(password, context=context, fewest=fewest)
    if found:
        raise ValidationError(found[0], code="weak_password")


class PolicyValidator:
    """Our policy in the shape of AUTH_PASSWORD_VALIDATORS, for every form of others that sets a password."""

    def validate(self, password: str, user: Any = None) -> None:
        validate(password, context=context_words(email=getattr(user, "email", None)))

    def get_help_text(self) -> str:
        return _("At least %(limit)d characters. A few unrelated words are easy to remember.") % {"limit": MIN_LENGTH}


def context_words(*, email: str | None = None, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The words of one person and of this deployment that a password must not be made of."""
    return tuple(filter(None, (email or "", *names, settings.IDP.brand_name, settings.IDP.issuer_host)))


def _skeleton(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


@cache
def _common() -> frozenset[str]:
    """Django's list of 20,000, which has few words of our length, plus long ones; rules below stretch both."""
    with gzip.open(Path(CommonPasswordValidator().DEFAULT_PASSWORD_LIST_PATH), "rt", encoding="utf-8") as lines:
        short = {line.strip() for line in lines}
    long = {line for line in LONG_FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}
    return frozenset(short | long)


def _is_common(text: str) -> bool:
    folded = text.casefold()
    # "passwordpassword" and "Manchester1234567!" are words of the lists, only longer.
    unit = _shortest_period(folded)
    tried = {folded, unit, folded.strip(_PADDING)}
    return len(set(folded)) < 5 or len(unit) < 5 or _is_run(folded) or not tried.isdisjoint(_common())


def _shortest_period(text: str) -> str:
    position = (text + text).find(text, 1)
    return text[:position]


def _is_run(text: str) -> bool:
    """All steps between neighbours alike: "abcdefghijklmnop", "987654321…"."""
    steps = {(ord(b) - ord(a)) for a, b in pairwise(text)}
    return len(steps) == 1 or (text.isdigit() and steps <= {1, -9})


def _is_made_of_context(text: str, context: tuple[str, ...]) -> bool:
    rest = _skeleton(text)
    words = {_skeleton(word) for entry in context for word in (entry, *re.split(r"[@.\s]+", entry))}
    for word in sorted((word for word in words if len(word) >= 4), key=len, reverse=True):
        rest = rest.replace(word, "")
    # What is left after taking the known words away must by itself be hard to guess.
    return rest != _skeleton(text) and len(rest) < 8


class _Slots:
    """So many hashes at once, and a short bounded queue behind them: each costs tens of MiB and tens of milliseconds."""

    def __init__(self, parallel: int, *, queue: int = 128, patience: float = 10.0) -> None:
        self._running = threading.BoundedSemaphore(parallel)
        self._waiting = threading.BoundedSemaphore(parallel + queue)
        self._patience = patience

    @contextmanager
    def taken(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise HashingBusy
        try:
            if not self._running.acquire(timeout=self._patience):
                raise HashingBusy
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._waiting.release()


@cache
def slots() -> _Slots:
    """The queue of this process."""
    return _Slots(settings.IDP.argon2_parallel_hashes)


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with the deployment's cost and bounded concurrency. Raises HashingBusy when too many wait."""

    parallelism = 1

    @property
    def time_cost(self) -> int:  # type: ignore[override]
        return settings.IDP.argon2_iterations

    @property
    def memory_cost(self) -> int:  # type: ignore[override]
        return settings.IDP.argon2_memory_kib

    def encode(self, password: str, salt: str) -> str:
        with slots().taken():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with slots().taken():
            return super().verify(password, encoded)
