"""What password managers are told, so that they offer no passkey that is gone (WebAuthn L3 5.1.10, Signal API)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fido2.utils import websafe_encode

from idp.mfa.models import UserHandle, WebAuthnKey

from . import registration, relying_party

if TYPE_CHECKING:
    from idp.accounts.models import User


@dataclass(frozen=True, slots=True)
class Signals:
    """Of one person, who is signed in: all keys that are accepted, and the name that goes with them."""

    rp_id: str
    user_id: str
    accepted: tuple[str, ...]
    name: str


def of_person(user: User) -> Signals | None:
    """None where no authenticator has ever heard of this person."""
    handle = UserHandle.objects.filter(user=user).values_list("handle", flat=True).first()
    if handle is None:
        return None
    ids = WebAuthnKey.objects.filter(user=user).order_by("pk").values_list("credential_id", flat=True)
    accepted = tuple(websafe_encode(bytes(one)) for one in ids)
    return Signals(relying_party.rp_id(), websafe_encode(bytes(handle)), accepted, registration.account_name(user))
