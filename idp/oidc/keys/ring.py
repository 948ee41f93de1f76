"""The loaded keys of this process. Signing and publishing cost no SQL; a lost database does not stop them."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from idp.kernel import generations, jose, sealing
from idp.kernel.clock import now
from idp.oidc.models import SigningKey

GENERATION = "keys"
SEALING_PURPOSE = "signing-key"


class NoSigningKey(Exception):
    """No key for this algorithm: run `manage.py keys rotate`."""


@dataclass(frozen=True)
class Ring:
    """Everything derived from the key table at one moment, valid until `until`."""

    signers: dict[str, jose.Signer]
    published: dict[str, jose.Verifier]
    former: dict[str, jose.Verifier]
    jwks: bytes
    etag: str
    until: datetime | None

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Algorithms that can sign now, RS256 first (the default of OpenID Connect)."""
        return tuple(algorithm for algorithm in jose.ALGORITHMS if algorithm in self.signers)


_lock = threading.Lock()
_loaded: tuple[int, Ring] | None = None


def ring() -> Ring:
    """The present ring; re-read when the key table changed or a key's hour has come.

    With the database away the last ring stays in use (hostile case KT-04): it holds public keys and keys that were valid.
    """
    global _loaded
    known = _loaded
    generation = generations.current(GENERATION, stale_ok=known is not None)
    if known is None or known[0] != generation or (known[1].until is not None and known[1].until <= now()):
        with _lock:
            known = _loaded
            if known is None or known[0] != generation or (known[1].until is not None and known[1].until <= now()):
                try:
                    known = _loaded = (generation, _read(now()))
                except DatabaseError:
                    if known is None:
                        raise
    return known[1]


def signer(algorithm: str) -> jose.Signer:
    """The key that signs `algorithm` now. Raises NoSigningKey."""
    try:
        return ring().signers[algorithm]
    except KeyError:
        raise NoSigningKey(algorithm) from None


def _read(moment: datetime) -> Ring:
    signers: dict[str, jose.Signer] = {}
    published: dict[str, jose.Verifier] = {}
    former: dict[str, jose.Verifier] = {}
    public: list[dict[str, str]] = []
    boundaries: list[datetime] = []
    for row in SigningKey.objects.order_by("activates_at", "created_at"):
        verifier = jose.Verifier(row.kid, row.algorithm, jose.public_key_from_jwk(row.public_jwk))
        if row.retires_at is not None and row.retires_at <= moment:
            former[row.kid] = verifier
            continue
        boundaries += [edge for edge in (row.activates_at, row.retires_at) if edge is not None and edge > moment]
        published[row.kid] = verifier
        public.append(row.public_jwk)
        if row.activates_at <= moment:  # ordered: the newest active one wins
            der = sealing.unseal(row.private_sealed, purpose=SEALING_PURPOSE)
            signers[row.algorithm] = jose.Signer(row.kid, row.algorithm, jose.load_private(der))
    jwks = json.dumps({"keys": public}, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(jwks).hexdigest()[:32]}"'
    return Ring(signers, published, former, jwks, etag, min(boundaries, default=None))
