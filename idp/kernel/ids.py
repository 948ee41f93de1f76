"""Random names: secrets for machines, references for people."""

from __future__ import annotations

import hashlib
import secrets

# No I, L, O, U, 0, 1: a reference is read aloud and typed from a screenshot.
REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def secret_token(nbytes: int = 32) -> str:
    """A random secret of `nbytes` bytes in URL-safe characters without padding (RFC 6749 10.10: at least 128 bits)."""
    return secrets.token_urlsafe(nbytes)


def identifier(nbytes: int = 18) -> str:
    """A random public name like `secret_token`, but none that a command line would take for an option: it begins with no hyphen."""
    while (name := secret_token(nbytes)).startswith("-"):
        pass
    return name


def digest(value: str) -> bytes:
    """SHA-256 of a random secret, 32 bytes: the only form in which the database keeps it.

    No salt and no stretching, because the input is random; a password never goes through here.
    Lone surrogates (bytes that were not UTF-8) are hashed too, so that hostile input simply matches nothing.
    """
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


def reference() -> str:
    """A short reference for an error page, like `K7Q2-4MFP` (39 bits: found again by a person, not a secret)."""
    letters = [secrets.choice(REFERENCE_ALPHABET) for _ in range(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])
