"""WebAuthn challenges: each good once, for five minutes, in one browser, for one purpose and one person (WebAuthn L3 13.4.3).

What was asked travels with the page, signed; only a challenge that was answered is kept, until it would be too old anyway. So a stranger
who opens the sign-in page a million times writes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from django.core import signing
from django.db import connection

from idp.kernel import clock
from idp.kernel.ids import digest
from idp.mfa.models import SpentChallenge

from .refused import Refused

LIFE = timedelta(minutes=5)
LONGEST = 600  # characters of a state; ours have less
SALT = "idp.mfa.webauthn.ceremonies"
Purpose = Literal["passkey", "security_key", "sign_in", "second_factor"]


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A challenge on its way: `state` comes back with the answer."""

    challenge: bytes
    state: str


def begin(purpose: Purpose, *, browser: bytes, person: UUID | None) -> Ceremony:
    """A new challenge; `browser` is the digest of the browser's own cookie."""
    challenge = secrets.token_bytes(32)
    facts = {"c": challenge.hex(), "p": purpose, "u": str(person or ""), "b": browser.hex()}
    return Ceremony(challenge, signing.dumps(facts, salt=SALT))


def spend(state: str, purpose: Purpose, *, browser: bytes | None, person: UUID | None) -> bytes:
    """The challenge that this answer must fit; it is used up by asking, whatever the answer is worth. Raises Refused.

    Call it outside of a transaction that a refusal would roll back.
    """
    try:
        facts = signing.loads(state, salt=SALT, max_age=LIFE) if len(state) <= LONGEST else None
    except signing.BadSignature:
        facts = None
    if facts is None or browser is None or (facts["p"], facts["u"], facts["b"]) != (purpose, str(person or ""), browser.hex()):
        raise Refused("expired", "not a challenge of ours for this")
    with connection.cursor() as cursor:
        # Exactly one of any number of parallel callers inserts the row.
        cursor.execute(
            "INSERT INTO idp_mfa_spentchallenge (digest, until) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [digest(facts["c"]), clock.now() + 2 * LIFE],
        )
        if cursor.rowcount != 1:
            raise Refused("expired", "answered before")
    return bytes.fromhex(facts["c"])


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of challenges that are too old to be answered anyway; returns how many."""
    old = list(SpentChallenge.objects.filter(until__lt=clock.now()).values_list("pk", flat=True)[:limit])
    return SpentChallenge.objects.filter(pk__in=old).delete()[0] if old else 0
