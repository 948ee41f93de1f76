"""What a log line may hold: a request id, bounded sizes, one line, and no secret (ASVS 16.2, 16.4.1, hostile cases IN-11, OP-04).

The processors below run over every line, of ours and of any library. The access line is written by hand and straight to
standard error, because the logging package would cost more than the rest of a fast request.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from . import context

Line = MutableMapping[str, Any]

HIDDEN = "[hidden]"
LONGEST_TEXT = 2000
LONGEST_TRACE = 8000
LONGEST_PATH = 300
MOST_ITEMS = 30
DEEPEST = 3

SENSITIVE_WORDS = frozenset(
    (
        *("assertion", "authorization", "code", "cookie", "cookies", "credential", "credentials", "hint", "jwt", "key", "nonce", "otp"),
        *("passwd", "password", "password1", "password2", "proof", "sealed", "secret", "session", "sessionid", "sid", "state", "token"),
        *("tokens", "verifier"),
    )
)
# Names that hold such a word and are harmless: what they say is needed to understand a line.
HARMLESS_NAMES = frozenset(
    (
        "status_code",
        "error_code",
        "exit_code",
        "key_id",
        "token_type",
        "token_type_hint",
        "code_challenge_method",
        "task_state",
        "dedupe_key",
    )
)
WORDS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")

SECRETS_IN_TEXT = (
    # A JWS or JWE in compact form: three or five parts, the first is a JSON object.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,4}"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9+/=._~-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"""(?ix) ( ["']? \b (?: [a-z_]* (?:password|passwd|secret|token|assertion|verifier) [0-9]? | cookie | authorization ) ["']? \s* [=:] \s*
                      | \b (?: code | state | nonce | sid | key ) = )
            (?: "[^"]*" | '[^']*' | [^\s&;,)}\]]+ )"""
        ),
        rf"\1{HIDDEN}",
    ),
)
LONG_RANDOM_SEGMENT = re.compile(r"(?=[^/]*\d)[A-Za-z0-9_~-]{20,}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def add_request(_logger: Any, _method: str, line: Line) -> Line:
    """Which request this line belongs to."""
    if request_id := context.current().request_id:
        line.setdefault("request_id", request_id)
    return line


def redact(_logger: Any, _method: str, line: Line) -> Line:
    """Hide secrets by the name of the value and by the look of it, bound every size, encode control characters."""
    for name in list(line):
        if name in ("timestamp", "level", "logger") or name.startswith("_"):
            continue
        if name in ("exception", "stack") and isinstance(line[name], str):
            # The one value of several lines; in JSON its line ends are encoded.
            line[name] = "\n".join(clean_text(part) for part in line[name][-LONGEST_TRACE:].split("\n"))
        else:
            line[name] = HIDDEN if is_sensitive(name) else _clean(line[name], depth=0)
    return line


def is_sensitive(name: str) -> bool:
    """Does a value of this name stay out of the logs? `client_secret`, `Authorization`, `codeVerifier` …"""
    return name.lower() not in HARMLESS_NAMES and not SENSITIVE_WORDS.isdisjoint(WORDS.sub(" ", name).lower().split())


def clean_text(text: str, *, limit: int = LONGEST_TEXT) -> str:
    """One bounded line without what looks like a secret."""
    cut = text[: limit + 1]
    for pattern, replacement in SECRETS_IN_TEXT:
        cut = pattern.sub(replacement, cut)
    return one_line(cut, limit=limit)


def one_line(text: str, *, limit: int) -> str:
    """At most `limit` characters and an ellipsis; whatever is not printable (CR, LF, escape, bidi marks …) is encoded."""
    if len(text) > limit:
        text = text[:limit] + "…"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode() for letter in text)


def clean_path(path: str) -> str:
    """A path for the access line: never a query; long random segments (links of mails) are hidden, UUIDs are not."""
    if len(path) < 20 and path.isprintable():  # too short for a random segment
        return path
    segments = [
        HIDDEN if LONG_RANDOM_SEGMENT.fullmatch(segment) and not UUID.fullmatch(segment) else segment
        for segment in path[: LONGEST_PATH + 1].split("/")
    ]
    return one_line("/".join(segments), limit=LONGEST_PATH)


_encode_line = json.JSONEncoder(separators=(",", ":")).encode


def access(request: context.RequestContext, *, method: str, path: str, status: int, seconds: float) -> None:
    """Write the one line of a request that was answered."""
    if getattr(logging, settings.IDP.log_level) > logging.INFO:
        return
    path, method = clean_path(path), one_line(method, limit=16)
    milliseconds = round(seconds * 1000, 1)
    if settings.IDP.development:
        line = f"{time.strftime('%H:%M:%S')} {method:<4} {path} {status} {milliseconds} ms\n"
    else:
        line = (
            _encode_line(
                {
                    "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    "level": "info",
                    "event": "request",
                    "method": method,
                    "path": path,
                    "status": status,
                    "ms": milliseconds,
                    "ip": request.ip,
                    "request_id": request.request_id,
                }
            )
            + "\n"
        )
    _write(line)


def dump(line: Line, **_options: Any) -> str:
    """JSON in pure ASCII: no character of a line can end it or steer a terminal."""
    return json.dumps(line, default=lambda value: one_line(repr(value), limit=LONGEST_TEXT), separators=(",", ":"))


def _write(line: str) -> None:
    try:
        # One write of less than PIPE_BUF: lines of parallel threads and processes do not mix.
        os.write(sys.stderr.fileno(), line.encode("utf-8", "replace"))
    except (OSError, ValueError):
        return  # nobody reads any more: that must not fail a request


def _clean(value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, dict | list | tuple | set | frozenset):
        return "…" if depth >= DEEPEST else _clean_items(value, depth=depth + 1)
    return clean_text(str(value))


def _clean_items(value: Any, *, depth: int) -> Any:
    if isinstance(value, dict):
        return {
            one_line(str(name), limit=100): HIDDEN if is_sensitive(str(name)) else _clean(item, depth=depth)
            for name, item in list(value.items())[:MOST_ITEMS]
        }
    return [_clean(item, depth=depth) for item in list(value)[:MOST_ITEMS]]
