"""Whose make an authenticator is, where the operator wants it proved (`IDP_PASSKEY_ATTESTATION`; WebAuthn L3 6.5, FIDO MDS 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from fido2.mds3 import MdsAttestationVerifier, parse_blob
from fido2.webauthn import AttestationConveyancePreference

from .refused import Refused


@dataclass
class Judge:
    """Looks at the attestation of one registration; `attested` tells afterwards what it found."""

    attested: bool = False

    def __call__(self, attestation_object: Any, client_data_hash: bytes) -> None:
        """fido2 asks. Raises Refused where the operator requires what is not there."""
        path = settings.IDP.passkey_metadata_file or Path()  # never empty where it is asked for: idp.settings.safety
        try:
            _verifier(path, path.stat().st_mtime_ns).verify_attestation(attestation_object, client_data_hash)
        except Exception as error:  # noqa: BLE001  # untrusted, unsupported, malformed: one thing for us
            if settings.IDP.passkey_attestation == "required":
                raise Refused("unattested", type(error).__name__) from None
            return
        self.attested = True


def conveyance() -> AttestationConveyancePreference:
    """What the browser is asked for: nothing, unless the operator wants it, because it tells which make somebody owns."""
    if settings.IDP.passkey_attestation == "none":
        return AttestationConveyancePreference.NONE
    return AttestationConveyancePreference.DIRECT


@lru_cache(maxsize=1)
def _verifier(path: Path, _changed: int) -> MdsAttestationVerifier:
    """Made again when the file changes. Revoked makes and compromised attestation keys are left out (fido2's default filters)."""
    return MdsAttestationVerifier(parse_blob(path.read_bytes().strip(), None))
