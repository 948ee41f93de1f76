"""The secret behind pairwise subjects: made once, never changed, sealed like a signing key (OIDC Core 8.1)."""

from __future__ import annotations

import secrets
from functools import cache

from idp.kernel import sealing
from idp.oidc.models import PairwiseSalt

_PURPOSE = "pairwise-salt"


@cache
def salt() -> bytes:
    """32 random bytes, the same for the whole life of this provider. One SQL per process."""
    row, _ = PairwiseSalt.objects.get_or_create(pk=1, defaults={"sealed": sealing.seal(secrets.token_bytes(32), purpose=_PURPOSE)})
    return sealing.unseal(row.sealed, purpose=_PURPOSE)
