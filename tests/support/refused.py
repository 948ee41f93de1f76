"""What every refusal must look like: one function per destination (page, redirect, JSON, bearer challenge).

All of them look the reference up with `manage.py explain` and make sure that nothing of what was sent comes back.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any

from django.core.management import call_command

from .browser import Answer
from .rp import members_of

REFERENCE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")
CLEAN = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]+")  # RFC 6749 5.2


def explained(reference: str) -> dict[str, Any]:
    """What the operator reads under a reference."""
    output = io.StringIO()
    call_command("explain", reference, "--json", stdout=output)
    entry: dict[str, Any] = json.loads(output.getvalue())
    return entry


def page(answer: Answer, code: str, *, status: int = 400) -> None:
    """Our own page: nobody is sent anywhere (RFC 6749 4.1.2.1), nothing is repeated, nothing kept."""
    assert (answer.status, answer.header("Location")) == (status, None), answer.body[:500]
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert "no-store" in (answer.header("Cache-Control") or "")
    assert 'id="error-page"' in answer.text
    reference = _reference(re.search(r'id="error-reference">([^<]+)<', answer.text))
    entry = explained(reference) if status != 413 else {}  # what is too large costs no SQL (hostile case PX-05): only a log line
    assert entry.get("code", code) == code
    _no_echo(answer, answer.text, entry)


def redirect(answer: Answer, error: str, *, to: str, state: str | None, issuer: str, code: str | None = None) -> dict[str, str]:
    """RFC 6749 4.1.2.1 with `iss` (RFC 9207 2.3): these members and no others; nothing else of the request."""
    members = members_of(answer, to)
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Referrer-Policy") == "no-referrer"
    expected = {"error", "error_description", "iss"} | ({"state"} if state is not None else set())
    assert set(members) == expected, members
    assert (members["error"], members["iss"], members.get("state")) == (error, issuer, state)
    entry = _description(answer, members["error_description"])
    assert code is None or entry["code"] == code
    return members


def as_json(answer: Answer, error: str, *, status: int = 400, code: str | None = None) -> dict[str, Any]:
    """RFC 6749 5.2: JSON, never kept; a 401 challenges (RFC 9110 11.6.1)."""
    assert answer.status == status, f"{answer.status} {answer.body[:500]!r}"
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Pragma") == "no-cache"
    document: dict[str, Any] = answer.json()
    assert set(document) == {"error", "error_description"}
    assert document["error"] == error
    if status == 401:
        assert (answer.header("WWW-Authenticate") or "").startswith("Basic realm=")
    entry = _description(answer, document["error_description"], stored=status != 413)
    assert code is None or entry.get("code", code) == code
    return document


def challenge(answer: Answer, error: str | None, *, status: int = 401) -> None:
    """RFC 6750 3: the challenge names the error, except for a request without a token (3.1)."""
    assert answer.status == status, f"{answer.status} {answer.body[:500]!r}"
    assert answer.header("Cache-Control") == "no-store"
    header = answer.header("WWW-Authenticate") or ""
    assert header.startswith("Bearer realm=")
    named = re.search(r'error="([^"]*)"', header)
    assert (named[1] if named else None) == error
    if error is not None:
        described = re.search(r'error_description="([^"]*)"', header)
        assert described is not None
        _description(answer, described[1])


def _reference(found: re.Match[str] | None) -> str:
    assert found is not None, "no reference"
    return found[1]


def _description(answer: Answer, text: str, *, stored: bool = True) -> dict[str, Any]:
    assert CLEAN.fullmatch(text), text
    reference = REFERENCE.search(text)
    assert reference is not None, text
    entry = explained(reference[0]) if stored else {}
    _no_echo(answer, text, entry)
    return entry


def _no_echo(answer: Answer, text: str, entry: dict[str, Any]) -> None:
    ours = " ".join(str(entry.get(part, "")) for part in ("description", "expected", "fix", "clause", "code", "error"))
    for value in answer.sent.values:
        if len(value) >= 8 and value not in ours:
            assert value not in text, f"repeats what was sent: {value[:80]}"
