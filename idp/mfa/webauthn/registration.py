"""A new passkey or security key (WebAuthn L3 7.1).

fido2 verifies type, challenge, RP ID, presence and, where wanted, verification and attestation. Here stand: the exact origin, no foreign
frame, only algorithms that were offered, the id inside the signed data and nobody's yet, backup flags.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from django.db import IntegrityError, transaction
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticatorAttachment,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import FactorAdded
from idp.kernel import clock
from idp.mfa import notices
from idp.mfa.models import UserHandle, WebAuthnKey

from . import attestation, authenticators, ceremonies, relying_party
from .refused import Refused, hostile_input

if TYPE_CHECKING:
    from .relying_party import Asked

MOST = 20  # keys per person
Kind = Literal["passkey", "security_key"]


def begin(user: User, *, kind: Kind, browser: bytes) -> Asked:
    """Ask for a passkey (held by the device, always with PIN, finger or face), or for a security key as a second step."""
    ceremony = ceremonies.begin(kind, browser=browser, person=user.pk)
    passkey = kind == "passkey"
    options, _state = relying_party.server(attestation=attestation.conveyance()).register_begin(
        PublicKeyCredentialUserEntity(id=handle_of(user), name=account_name(user), display_name=account_name(user)),
        credentials=relying_party.descriptors(WebAuthnKey.objects.filter(user=user)),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED if passkey else ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.REQUIRED if passkey else UserVerificationRequirement.PREFERRED,
        authenticator_attachment=None if passkey else AuthenticatorAttachment.CROSS_PLATFORM,
        challenge=ceremony.challenge,
    )
    return relying_party.asked(options, ceremony, **({} if passkey else {"hints": ["security-key"]}))


def complete(user: User, *, kind: Kind, state: str, answer: str, browser: bytes | None, name: str = "") -> WebAuthnKey:
    """The new key of this person, told to them by mail. Raises Refused. Call it outside of a transaction."""
    challenge = ceremonies.spend(state, kind, browser=browser, person=user.pk)
    key = _judged(user, kind, challenge, answer)
    key.name = name or authenticators.name_of(key.aaguid, discoverable=key.discoverable)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # one change of one person's factors at a time
        if WebAuthnKey.objects.filter(user=user).count() >= MOST:
            raise Refused("too_many")
        try:
            with transaction.atomic():
                key.save(force_insert=True)
        except IntegrityError:
            raise Refused("known_already") from None
        emit(FactorAdded(kind=key.kind, factor=key.persistent_id), person=user.pk)
        notices.tell(user, "added", kind=key.kind, named=key.name)
    return key


def handle_of(user: User) -> bytes:
    """32 random bytes that name this person to authenticators, and tell nothing (WebAuthn L3 14.6.1)."""
    row, _created = UserHandle.objects.get_or_create(user=user, defaults={"handle": secrets.token_bytes(32)})
    return bytes(row.handle)


def account_name(user: User) -> str:
    """What a password manager shows beside the passkey."""
    return user.email or str(user.pk)


def _judged(user: User, kind: Kind, challenge: bytes, answer: str) -> WebAuthnKey:
    document = relying_party.document(answer)
    judge = attestation.Judge()
    passkey = kind == "passkey"
    wanted = attestation.conveyance()
    with hostile_input():
        party = relying_party.server(attestation=wanted, verify=None if wanted == AttestationConveyancePreference.NONE else judge)
        parsed = RegistrationResponse.from_dict(document)
        data = party.register_complete(relying_party.state(challenge, verified=passkey), parsed)
        credential, found = data.credential_data, relying_party.flags(data)
        relying_party.same_frame(parsed.response.client_data)
        if credential is None or parsed.raw_id != credential.credential_id:
            raise Refused("wrong_passkey", "the id is not the signed one")
        if not 1 <= len(credential.credential_id) <= relying_party.LONGEST_ID:
            raise Refused("wrong_passkey", "the length of the id")
        if credential.public_key.get(3) not in relying_party.ALGORITHMS:
            raise Refused("wrong_passkey", "an algorithm that was not offered")
        AttestedCredentialData(bytes(credential))  # it can be read again
        return WebAuthnKey(
            user=user,
            credential_id=bytes(credential.credential_id),
            credential_data=bytes(credential),
            sign_count=data.counter,
            aaguid=str(credential.aaguid),
            transports=relying_party.transports(document),
            discoverable=passkey,
            verified=found.verified,
            backup_eligible=found.eligible,
            backed_up=found.backed_up,
            attested=judge.attested,
            last_used_at=clock.now(),
        )
