"""Makes the HTTP calls of one attempt, in a thread of its own and without the database; says how it went, for the delivery log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from idp.kernel import clock, outbound
from idp.notifications import redaction
from idp.notifications.receivers import Call, NotNow, Refused

SECONDS = 5.0  # one call in all, from resolving the name to the last byte
MOST_ANSWER = 16 * 1024
# RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4: try again.
PASSING = frozenset((408, 425, 429))


@dataclass(frozen=True, slots=True)
class Job:
    """Calls with their headers, in order; `accepts` says which answers are good, `independent` that one that is refused stops no other."""

    calls: Sequence[tuple[Call, Mapping[str, str]]]
    accepts: Callable[[Call, int], bool]
    number: int
    independent: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """How an attempt went: no outcome = taken. One entry for the delivery log per call that was made."""

    outcome: Refused | NotNow | None
    entries: list[dict[str, Any]]


def send(job: Job) -> Sent:
    """Make the calls until one is not accepted. Raises nothing."""
    entries: list[dict[str, Any]] = []
    refused: Refused | None = None
    for call, headers in job.calls:
        entry: dict[str, Any] = {
            "attempt": job.number,
            "at": clock.now().isoformat(timespec="milliseconds"),
            "request": {
                "method": call.method,
                "url": call.url,
                "headers": redaction.headers(headers),
                "body": redaction.body(call.body, personal=call.personal),
            },
        }
        entries.append(entry)
        began = time.monotonic()
        outcome = _one(call, headers, job.accepts, entry)
        entry["milliseconds"] = round((time.monotonic() - began) * 1000)
        entry["outcome"] = "taken" if outcome is None else outcome.reason
        if isinstance(outcome, Refused) and job.independent:
            refused = outcome
        elif outcome is not None:
            return Sent(outcome, entries)
    return Sent(refused, entries)


def _one(call: Call, headers: Mapping[str, str], accepts: Callable[[Call, int], bool], entry: dict[str, Any]) -> Refused | NotNow | None:
    try:
        answer = outbound.fetch(
            call.url, method=call.method, headers=headers, content=call.body.encode(), max_bytes=MOST_ANSWER, seconds=SECONDS, whole=False
        )
    except outbound.Refused:
        return Refused("the address may not be contacted")
    except outbound.OutboundError as error:
        return NotNow(f"no answer ({error})", unreachable=True)
    except Exception as error:  # noqa: BLE001  whatever it is, it is one attempt that failed
        return NotNow(f"error: {type(error).__name__}")
    entry["response"] = {
        "status": answer.status,
        "type": answer.headers.get("content-type", "")[:100],
        "body": redaction.answer(answer.body, sent=call.body, personal=call.personal),
    }
    if accepts(call, answer.status):
        return None
    if answer.status >= 500 or answer.status in PASSING:
        after = _seconds(answer.headers.get("retry-after", ""))
        return NotNow(f"answered {answer.status}", unreachable=answer.status >= 500, after=after)
    return Refused(f"answered {answer.status}")


def _seconds(retry_after: str) -> float:
    """RFC 9110 10.2.3: seconds or a date; anything else counts as nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
