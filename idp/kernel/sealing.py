"""Encryption at rest: AES-256-GCM, key id in front, purpose as associated data (NIST SP 800-38D)."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12
TAG_BYTES = 16


class SealBroken(Exception):
    """The text was not sealed by us for this purpose, was changed, or its key is gone. Never holds the text."""


def seal(plaintext: bytes, *, purpose: str) -> str:
    """Encrypt `plaintext` with the newest key; only `unseal` with the same `purpose` opens it again.

    Returns `key_id.base64url(nonce, ciphertext, tag)`.
    """
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    body = nonce + AESGCM(key).encrypt(nonce, plaintext, _associated_data(key_id, purpose))
    return f"{key_id}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}"


def unseal(sealed: str, *, purpose: str) -> bytes:
    """Decrypt what `seal` returned. Raises SealBroken for anything else."""
    key_id, _, encoded = sealed.partition(".")
    key = _keys().get(key_id)
    if key is None:
        raise SealBroken("sealed with a key that is not in IDP_SEALING_KEYS")
    try:
        body = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("not a sealed text") from None
    if len(body) < NONCE_BYTES + TAG_BYTES:
        raise SealBroken("not a sealed text")
    try:
        return AESGCM(key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], _associated_data(key_id, purpose))
    except InvalidTag:
        raise SealBroken("changed, or sealed for another purpose") from None


def key_id_of(sealed: str) -> str:
    """The id of the key that sealed this text: lets the operator find what an old key still protects."""
    return sealed.partition(".")[0]


def newest_key_id() -> str:
    """The id of the key that `seal` uses."""
    return next(iter(_keys()))


def _keys() -> Mapping[str, bytes]:
    keys: Mapping[str, bytes] = settings.SEALING_KEYS
    return keys


def _associated_data(key_id: str, purpose: str) -> bytes:
    # Bound to the purpose: a sealed mail cannot be moved into the column of a sealed signing key.
    return f"kairos.sealing.1:{key_id}:{purpose}".encode()
