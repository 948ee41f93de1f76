"""The development inbox: one `.eml` file per mail or text message, the newest 500; read by the pages `/dev/inbox` and `/dev/inbox.json`."""

from __future__ import annotations

import email
import email.policy
import html as html_entities
import re
from typing import TYPE_CHECKING

from django.conf import settings

from idp.events.identifiers import ordered

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

KEPT = 500
KIND = "X-Kairos-Kind"
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_HREF = re.compile(r"""href=["']([^"']+)["']""", re.IGNORECASE)


def store(mail: bytes) -> None:
    """Add one mail (RFC 5322 bytes). Readers see whole files only; the oldest beyond 500 go."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = ordered().hex
    temporary = folder / f".{name}"
    temporary.touch(mode=0o600)
    temporary.write_bytes(mail)
    temporary.replace(folder / f"{name}.eml")
    for old in _files()[KEPT:]:
        old.unlink(missing_ok=True)


def messages(to: str | None = None) -> list[dict[str, object]]:
    """The stored mails, newest first, of everybody or of one recipient (compared without case).

    Each has `id`, `kind` ("mail" or "sms"), `to`, `from`, `subject`, `date`, `text`, `html` (empty if there is none) and `links`, in order of appearance.
    """
    found = []
    for path in _files():
        try:
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        except FileNotFoundError:  # the bound took it meanwhile
            continue
        recipients = [address.addr_spec for address in mail["To"].addresses] if mail["To"] else []
        if to is not None and to.casefold() not in (recipient.casefold() for recipient in recipients):
            continue
        text, html = _part(mail, "plain"), _part(mail, "html")
        found.append(
            {
                "id": path.stem,
                "kind": str(mail[KIND] or "mail"),
                "to": ", ".join(recipients),
                "from": str(mail["From"] or ""),
                "subject": str(mail["Subject"] or ""),
                "date": mail["Date"].datetime.isoformat() if mail["Date"] else "",
                "text": text,
                "html": html,
                "links": _links(text, html),
            }
        )
    return found


def _folder() -> Path:
    folder: Path = settings.IDP.data_dir / "inbox"
    return folder


def _files() -> list[Path]:
    """Newest first: names are ordered by time."""
    try:
        return sorted((path for path in _folder().iterdir() if path.suffix == ".eml"), reverse=True)
    except FileNotFoundError:
        return []


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body(preferencelist=(kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


def _links(text: str, html: str) -> list[str]:
    found = [link.rstrip(".,;:!?)") for link in _ADDRESS.findall(text)]
    found += [link for link in map(html_entities.unescape, _HREF.findall(html)) if link.startswith(("http://", "https://"))]
    return list(dict.fromkeys(found))
