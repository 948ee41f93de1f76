"""Passwords that became public: a file of sorted hash prefixes, looked up by bisection without reading it (ASVS 6.2.12).

The file is made once from the public list ("Pwned Passwords", one `SHA1:count` per line, ordered by hash). Eight bytes of each hash are kept:
of a billion entries a wrong one is hit once in ten thousand million passwords, and nobody's password can be read from it. Nothing is asked of anybody at run time.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

HEADER = b"kairos.breach.1\n"
WIDTH = 8
BUFFER = 1 << 20


class Malformed(ValueError):
    """The list, or the file made from it, is not what it should be. The text says where."""


class File:
    """A file that `build` made, mapped into memory: the pages that are looked at are shared by all processes."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, or Malformed for a file that is not ours."""
        with path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size < len(HEADER) or (size - len(HEADER)) % WIDTH or opened.read(len(HEADER)) != HEADER:
                raise Malformed("not a file of `manage.py breached_passwords build`")
            self._data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        self.entries = (size - len(HEADER)) // WIDTH

    def __contains__(self, prefix: bytes) -> bool:
        low, high = 0, self.entries
        while low < high:
            middle = (low + high) // 2
            found = self._data[len(HEADER) + middle * WIDTH : len(HEADER) + (middle + 1) * WIDTH]
            if found == prefix:
                return True
            low, high = (middle + 1, high) if found < prefix else (low, middle)
        return False


def contains(*spellings: str) -> bool:
    """Whether any of these is in the file of this installation; False where there is none."""
    path = settings.IDP.breached_passwords_file
    if path is None:
        return False
    opened = _open(path)
    return any(_prefix(text) in opened for text in set(spellings))


def build(lines: Iterable[bytes], out: BinaryIO, *, fewest: int = 1) -> int:
    """Write the entries that were seen at least `fewest` times to `out`; returns how many. Raises Malformed, with the number of the line."""
    out.write(HEADER)
    last, written, buffer = b"", 0, bytearray()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        digest, _colon, count = text.partition(b":")
        try:
            prefix = bytes.fromhex(digest.decode())[:WIDTH] if len(digest) == 40 else b""
            often = int(count or b"1")
        except ValueError:
            prefix = b""
        if not prefix:
            raise Malformed(f"line {number} is not SHA1:count")
        if prefix < last:
            raise Malformed(f"line {number} is out of order: take the list that is ordered by hash, or sort it first")
        if prefix == last or often < fewest:
            continue
        last = prefix
        buffer += prefix
        written += 1
        if len(buffer) >= BUFFER:
            out.write(buffer)
            buffer.clear()
    out.write(buffer)
    return written


@lru_cache(maxsize=2)
def _open(path: Path) -> File:
    return File(path)


def _prefix(text: str) -> bytes:
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:WIDTH]
