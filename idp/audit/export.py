"""The log as a file that anybody can check, with the program that checks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from idp.audit import heads, lines, retention, sealer, verifier
from idp.audit.models import Stream
from idp.events import emit
from idp.events.catalogue import AuditExported


def export(*, personal: bool = True, by: UUID | None = None) -> Iterator[str]:
    """JSON Lines: header, heads, every record of every chain, end. Leaves an event, before the first line.

    With `personal=False` addresses, user agents and people stay out: the file can be checked all the same.
    """
    emit(AuditExported(people=personal), by=by)
    while retention.cut_expired():
        pass
    sealer.seal_due()
    heads.sign()
    streams = list(Stream.objects.order_by("name"))
    yield _text(lines.header(streams))
    for line in lines.head_lines():
        yield _text(line)
    count = 0
    for stream in streams:
        for line in lines.record_lines(stream, personal=personal):
            count += 1
            line.pop("unsalted", None)
            # Chains are in the order of sealing, the log forgets by age: a row that was sealed late may leave before the one before it.
            if "missing" in line and UUID(line["missing"]) < retention.expired_before(stream.name):
                line["expired"] = True
            yield _text(line)
    yield _text({"type": "end", "records": count})


def write(folder: Path, *, personal: bool = True) -> dict[str, Any]:
    """Write `audit.jsonl` and `verify_audit.py` into a folder, readable by this account only. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target, program = folder / "audit.jsonl", folder / "verify_audit.py"
    target.touch(mode=0o600)
    count = 0
    with target.open("w", encoding="utf-8") as out:
        for text in export(personal=personal):
            out.write(text)
            count += 1
    program.write_text(Path(verifier.__file__).read_text("utf-8"), "utf-8")
    return {"file": str(target), "verifier": str(program), "lines": count}


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"
