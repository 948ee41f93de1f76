"""The one account gate: may this person get anything now? Every path asks here (design rule 6, hostile cases GL-10, PW-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from .models import User

Refusal = Literal["disabled", "unverified", "stale"]


class Standing(NamedTuple):
    """Nothing of a person but what the gate looks at, as columns of `accounts_user` in this order."""

    is_active: bool
    email: str | None
    email_verified_at: Any
    phone: str | None
    phone_verified_at: Any
    credential_epoch: int


def refusal(user: User | Standing, *, epoch: int | None = None) -> Refusal | None:
    """None when `user` may get something now, else why not.

    `epoch` is the credential epoch that a session or refresh family carries; a different one means that it was ended
    by a password change, a reset, a disablement or "sign out everywhere".

    The lock after wrong passwords is not asked here on purpose: it slows guessing of a password (see `lockout`); if it also ended
    sessions and refresh tokens, anybody could sign the owner out by guessing.
    """
    if not user.is_active:
        return "disabled"
    if (user.email or user.phone) and user.email_verified_at is None and user.phone_verified_at is None:
        return "unverified"
    if epoch is not None and epoch != user.credential_epoch:
        return "stale"
    return None
