"""Whether to offer a passkey to somebody who has just signed in with a password; "not now" is remembered for a month."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Exists

from idp.accounts.models import User
from idp.kernel import clock
from idp.mfa.models import UserHandle, WebAuthnKey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

AGAIN = timedelta(days=30)


def is_due(user: User, records: Iterable[dict[str, Any]]) -> bool:
    """`records` are what the person has proved for this sign-in: whoever used something better than a password is not asked."""
    if not any(entry.get("method") == "password" for entry in records):
        return False
    settled = Exists(WebAuthnKey.objects.filter(user=user)) | Exists(UserHandle.objects.filter(user=user, not_before__gt=clock.now()))
    return User.objects.filter(~settled, pk=user.pk).exists()


def put_off(user: User) -> None:
    """Not now: the next offer is a month away, in whatever browser."""
    later = clock.now() + AGAIN
    UserHandle.objects.update_or_create(
        user=user, defaults={"not_before": later}, create_defaults={"handle": secrets.token_bytes(32), "not_before": later}
    )
