"""Keep what is needed to explain a refusal, redacted and bounded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import timedelta

from django.db import DatabaseError

from idp.kernel import context
from idp.kernel.clock import now
from idp.kernel.ids import reference as new_reference
from idp.oidc.models import RefusedRequest
from idp.oidc.protocol.errors import OAuthError

KEEP = timedelta(days=30)
MOST_PER_SECOND, BURST = 20.0, 200.0
_SECRET = {
    "client_secret", "code", "code_verifier", "refresh_token", "token", "access_token", "id_token_hint", "client_assertion",
    "request", "password", "state", "nonce", "login_hint", "logout_hint", "assertion", "authorization",
}  # fmt: skip
_log = logging.getLogger(__name__)


class _Bucket:
    """A flood of bad requests must not become a flood of rows: past the rate only the log line remains."""

    def __init__(self) -> None:
        self._level, self._at, self._lock = BURST, time.monotonic(), threading.Lock()

    def take(self) -> bool:
        with self._lock:
            moment = time.monotonic()
            self._level = min(BURST, self._level + (moment - self._at) * MOST_PER_SECOND)
            self._at = moment
            if self._level < 1:
                return False
            self._level -= 1
            return True


_bucket = _Bucket()


def redacted(arrived: Mapping[str, str]) -> dict[str, str]:
    """Parameters as an operator may see them: secrets and personal data only by their length, the rest bounded and printable."""
    shown: dict[str, str] = {}
    for name, value in list(arrived.items())[:40]:
        if name.lower() in _SECRET:
            shown[name] = f"({len(value)} characters)"
        else:
            shown[_printable(name, 60)] = _printable(value, 300)
    return shown


def _printable(text: str, most: int) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:most])
    return clean + (f"... ({len(text)} characters)" if len(text) > most else "")


def record(error: OAuthError, *, endpoint: str, arrived: Mapping[str, str], client_id: str = "") -> str:
    """Store a refusal and return its reference. Never raises: explaining must not make things worse."""
    reference = new_reference()
    who = client_id or arrived.get("client_id", "")
    _log.info("refused", extra={"reference": reference, "code": error.refusal.code, "endpoint": endpoint, "client": _printable(who, 100)})
    if error.refusal.status == 413 or not _bucket.take():
        return reference
    try:
        RefusedRequest.objects.create(
            reference=reference,
            code=error.refusal.code,
            endpoint=endpoint,
            client_id=_printable(who, 200),
            arrived=redacted(arrived),
            detail=_printable(error.detail, 500),
            request_id=context.current().request_id[:64],
        )
    except DatabaseError:
        _log.warning("refusal not stored", extra={"reference": reference})
    return reference


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of old rows; returns how many."""
    old = list(RefusedRequest.objects.filter(at__lt=now() - KEEP).values_list("pk", flat=True)[:limit])
    return RefusedRequest.objects.filter(pk__in=old).delete()[0] if old else 0
