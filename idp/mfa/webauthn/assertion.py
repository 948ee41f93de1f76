"""A passkey or security key is used (WebAuthn L3 7.2).

fido2 verifies type, challenge, RP ID, presence, verification where wanted, and the signature. Here stand: the exact origin, no foreign
frame, whose key it is, the user handle, backup flags and the counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db import transaction
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    UserVerificationRequirement,
)

from idp.events import emit
from idp.events.catalogue import FactorSuspected, SignInFailed
from idp.kernel import clock
from idp.mfa import notices
from idp.mfa.models import UserHandle, WebAuthnKey

from . import ceremonies, relying_party
from .refused import Refused, hostile_input

if TYPE_CHECKING:
    from idp.accounts.models import User

    from .relying_party import Asked


@dataclass(frozen=True, slots=True)
class Proved:
    """A key that was used now; `verified`: by PIN, finger or face as well."""

    key: WebAuthnKey
    verified: bool

    @property
    def facts(self) -> dict[str, bool]:
        """What the record of this proof says beside method and device; `idp.sessions.assurance` reads it."""
        return {"verified": self.verified, "synced": self.key.backup_eligible, "attested": self.key.attested}


def begin_sign_in(*, browser: bytes) -> Asked:
    """Ask for whichever passkey the browser has for us: nobody is named, so nothing is told about anybody (hostile case WK-15)."""
    ceremony = ceremonies.begin("sign_in", browser=browser, person=None)
    return relying_party.Asked({**_anybody(relying_party.rp_id()), "challenge": websafe_encode(ceremony.challenge)}, ceremony.state)


@cache
def _anybody(_rp_id: str) -> dict[str, Any]:
    # Every sign-in page asks for these, and fido2 takes two milliseconds to write them.
    options, _state = _server().authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    return relying_party.members(options)


def begin_second_factor(user: User, *, browser: bytes) -> Asked | None:
    """Ask for one of this person's keys; None when they have none that works."""
    descriptors = relying_party.descriptors(WebAuthnKey.objects.filter(user=user, disabled_at=None))
    if not descriptors:
        return None
    ceremony = ceremonies.begin("second_factor", browser=browser, person=user.pk)
    options, _state = _server().authenticate_begin(
        credentials=descriptors, user_verification=UserVerificationRequirement.PREFERRED, challenge=ceremony.challenge
    )
    return relying_party.asked(options, ceremony)


def sign_in(*, state: str, answer: str, browser: bytes | None, client_id: str | None = None) -> Proved:
    """Who this passkey belongs to; the person may still be refused, ask `gate`. Raises Refused. Call it outside of a transaction."""
    return _prove(state, answer, browser=browser, person=None, client_id=client_id)


def second_factor(user: User, *, state: str, answer: str, browser: bytes | None, client_id: str | None = None) -> Proved:
    """One of this person's keys, beside something else that they proved. Raises Refused. Call it outside of a transaction."""
    return _prove(state, answer, browser=browser, person=user, client_id=client_id)


def _prove(state: str, answer: str, *, browser: bytes | None, person: User | None, client_id: str | None) -> Proved:
    whom = person.pk if person is not None else None
    purpose: ceremonies.Purpose = "second_factor" if person is not None else "sign_in"
    challenge = ceremonies.spend(state, purpose, browser=browser, person=whom)
    key: WebAuthnKey | None = None
    try:
        document = relying_party.document(answer)
        with hostile_input():
            parsed = AuthenticationResponse.from_dict(document)
            credential_id, data = bytes(parsed.raw_id), parsed.response.authenticator_data
            if len(credential_id) > relying_party.LONGEST_ID:
                raise Refused("wrong_passkey", "the length of the id")
        with transaction.atomic():
            key = WebAuthnKey.objects.select_for_update(of=("self",)).select_related("user").filter(credential_id=credential_id).first()
            if key is None:
                raise Refused("unknown_passkey")
            with hostile_input():
                proved = _judged(key, parsed, challenge, person=person)
                suspicion = _suspicion(key, data)
            if not suspicion:
                key.sign_count, key.backed_up, key.last_used_at = data.counter, data.is_backed_up(), clock.now()
                # A key that could not verify when it was added earns it beside a password, not alone (WebAuthn L3 7.2 step 24).
                key.verified = key.verified or proved.verified
                key.save(update_fields=["sign_count", "backed_up", "last_used_at", "verified"])
                return proved
            _suspect(key, suspicion)
        raise Refused("suspected_copy", suspicion)
    except Refused as refusal:
        known = key.user_id if key is not None else whom
        emit(SignInFailed(reason=refusal.why, method=WebAuthnKey.kind, client_id=client_id), person=known)
        raise


def _judged(key: WebAuthnKey, parsed: AuthenticationResponse, challenge: bytes, *, person: User | None) -> Proved:
    alone = person is None
    if person is not None and key.user_id != person.pk:
        raise Refused("wrong_passkey", "of somebody else")  # WK-10, WK-11
    if key.disabled_at is not None:
        raise Refused("wrong_passkey", "switched off")
    if alone and not key.verified:
        raise Refused("wrong_passkey", "a second factor only")
    known = AttestedCredentialData(bytes(key.credential_data))
    _server().authenticate_complete(relying_party.state(challenge, verified=alone), [known], parsed)
    relying_party.same_frame(parsed.response.client_data)
    handle = parsed.response.user_handle
    own = UserHandle.objects.filter(user_id=key.user_id).values_list("handle", flat=True).first()
    # 7.2 step 6: without a name before it, the handle says who it is; where it comes, it must fit.
    if (alone or handle) and (own is None or handle is None or bytes(own) != bytes(handle)):
        raise Refused("wrong_passkey", "the handle of somebody else")
    return Proved(key, relying_party.flags(parsed.response.authenticator_data).verified)


def _suspicion(key: WebAuthnKey, data: AuthenticatorData) -> str:
    """Why a right signature is not believed, or an empty text (WebAuthn L3 6.1.1, 7.2 steps 21-22, 24)."""
    if (data.counter or key.sign_count) and data.counter <= key.sign_count:
        return "counter"
    return "backup" if data.is_backup_eligible() != key.backup_eligible else ""


def _suspect(key: WebAuthnKey, suspicion: str) -> None:
    """It was copied, or pretends: refused from now on, and its owner hears of it (hostile cases WK-08, WK-14)."""
    key.disabled_at = clock.now()
    key.save(update_fields=["disabled_at"])
    emit(FactorSuspected(kind=key.kind, factor=key.persistent_id, reason=suspicion), person=key.user_id)
    notices.tell(key.user, "suspected", kind=key.kind, named=key.name)


def _server() -> Any:
    return relying_party.server(attestation=AttestationConveyancePreference.NONE)
