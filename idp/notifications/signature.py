"""Standard Webhooks signatures: `webhook-id`, `webhook-timestamp`, `webhook-signature` (github.com/standard-webhooks, v1)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64  # "Symmetric keys … between 24 and 64 bytes"


def new_key() -> str:
    """A fresh key in the form in which it is handed out: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_bytes(key: str) -> bytes:
    """The bytes of a key. Raises ValueError with a reason that holds nothing of it."""
    try:
        raw = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not whsec_ followed by base64") from None
    if not FEWEST_BYTES <= len(raw) <= MOST_BYTES:
        raise ValueError(f"holds {len(raw)} bytes instead of {FEWEST_BYTES} to {MOST_BYTES}")
    return raw


def headers(*, message_id: str, timestamp: int, body: str, keys: Sequence[str]) -> dict[str, str]:
    """The three headers; one signature per key, so that a key can be replaced without a gap."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    signatures = [base64.b64encode(hmac.digest(key_bytes(key), signed, sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
