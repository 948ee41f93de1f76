"""Who we are to an authenticator: the RP ID, the origins whose pages may ask, and what both ceremonies share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    UserVerificationRequirement,
)

from . import ceremonies
from .refused import Refused

if TYPE_CHECKING:
    from idp.mfa.models import WebAuthnKey

    from .ceremonies import Ceremony

ALGORITHMS = (-8, -7, -257)  # EdDSA, ES256, RS256 (IANA COSE Algorithms)
LONGEST = 64 * 1024  # characters of an answer; the largest honest one is a tenth of that
LONGEST_ID = 1023  # bytes, WebAuthn L3 4
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser is given (`PublicKeyCredential.parse…OptionsFromJSON`), and what must come back with the answer."""

    options: dict[str, Any]
    state: str


def rp_id() -> str:
    """The domain that passkeys belong to: chosen on the first day, because no passkey survives another one."""
    return settings.IDP.passkey_rp_id or settings.IDP.issuer_host


def origins() -> frozenset[str]:
    """Exactly these pages may ask (WebAuthn L3 7.1 step 9, 7.2 step 12): ours, and the related ones that the operator named (5.11)."""
    return frozenset((settings.IDP.issuer, *settings.IDP.passkey_origins))


def server(*, attestation: AttestationConveyancePreference, verify: Callable[..., None] | None = None) -> Fido2Server:
    """fido2's relying party. By itself it would take any sub-domain, any `http://….localhost`, and algorithms that we do not want."""
    party = Fido2Server(
        _entity(settings.IDP.brand_name, rp_id()),
        attestation=attestation,
        verify_origin=lambda origin: origin in origins(),
        verify_attestation=verify,
    )
    party.timeout = int(ceremonies.LIFE.total_seconds() * 1000)  # type: ignore[assignment]
    party.allowed_algorithms = [PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=one) for one in ALGORITHMS]
    return party


@cache
def _entity(name: str, domain: str) -> PublicKeyCredentialRpEntity:
    return PublicKeyCredentialRpEntity(name=name, id=domain)


def state(challenge: bytes, *, verified: bool) -> dict[str, Any]:
    """What fido2 compares an answer with; `verified` requires PIN, finger or face."""
    needed = UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.PREFERRED
    return {"challenge": websafe_encode(challenge), "user_verification": needed}


def descriptors(keys: Iterable[WebAuthnKey]) -> list[PublicKeyCredentialDescriptor]:
    """These keys, as the browser is told of them; a transport that fido2 does not know would become null."""
    return [
        PublicKeyCredentialDescriptor(
            type=PublicKeyCredentialType.PUBLIC_KEY, id=bytes(key.credential_id), transports=_named(key.transports)
        )
        for key in keys
    ]


def asked(options: Any, ceremony: Ceremony, **more: Any) -> Asked:
    """Options with members for which fido2 has no argument, and the ceremony that they begin."""
    return Asked({**members(options), **more}, ceremony.state)


def members(options: Any) -> dict[str, Any]:
    """fido2's options in their JSON form (WebAuthn L3 5.4, 5.5)."""
    found: dict[str, Any] = json.loads(json.dumps(dict(options)["publicKey"]))
    for descriptor in (*found.get("excludeCredentials", ()), *found.get("allowCredentials", ())):
        if not descriptor.get("transports"):
            descriptor.pop("transports", None)
    return found


def document(answer: str) -> dict[str, Any]:
    """The answer as JSON. Raises Refused."""
    if len(answer) > LONGEST:
        raise Refused("wrong_passkey", "too long")
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise Refused("wrong_passkey", "not JSON") from None
    if not isinstance(found, dict):
        raise Refused("wrong_passkey", "not an object")
    return found


def transports(answered: dict[str, Any]) -> list[str]:
    """How the authenticator can be reached, by the names that we know."""
    sent = answered["response"].get("transports")
    return [name for name in TRANSPORTS if isinstance(sent, list) and name in sent]


def same_frame(client_data: bytes) -> None:
    """Not from a page inside of a foreign page (WebAuthn L3 7.1 steps 10-11, 7.2 steps 13-14). Raises Refused."""
    said = json.loads(bytes(client_data))
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise Refused("wrong_passkey", "inside of a foreign page")


@dataclass(frozen=True, slots=True)
class Flags:
    """Of the authenticator data: by PIN, finger or face; may be synced; is synced."""

    verified: bool
    eligible: bool
    backed_up: bool


def flags(data: AuthenticatorData) -> Flags:
    """Raises Refused for a combination that cannot be (WebAuthn L3 7.1 step 18, 7.2 step 20)."""
    found = Flags(data.is_user_verified(), data.is_backup_eligible(), data.is_backed_up())
    if found.backed_up and not found.eligible:
        raise Refused("wrong_passkey", "backed up, but not eligible")
    return found


def _named(names: list[str]) -> list[Any] | None:
    return [name for name in names if name in TRANSPORTS and name != "smart-card"] or None
