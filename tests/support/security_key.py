"""An authenticator without hardware: it makes keys and signs, honestly or as told (WebAuthn L3 6)."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

from idp.mfa.webauthn import registration

if TYPE_CHECKING:
    from idp.accounts.models import User
    from idp.mfa.models import WebAuthnKey

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
BROWSER = b"b" * 32


@dataclass
class SecurityKey:
    """Holds one credential. Everything that it claims can be changed before it answers."""

    origin: str = field(default_factory=lambda: settings.IDP.issuer)
    rp_id: str = field(default_factory=lambda: settings.IDP.issuer_host)
    flags: int = UP | UV | BE | BS
    counter: int = 0
    aaguid: bytes = bytes.fromhex("ea9b8d664d011d213ce4b6b48cb575d4")
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: bytes | None = None
    client_data: dict[str, Any] = field(default_factory=dict)  # members that replace or join the honest ones
    public_key: dict[int, Any] | None = None  # COSE; the honest one unless told

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """RegistrationResponseJSON (WebAuthn L3 5.1.8) for PublicKeyCredentialCreationOptionsJSON."""
        self.user_handle = websafe_decode(options["user"]["id"])
        client_data = self._client_data("webauthn.create", options["challenge"])
        cose = self.public_key or dict(ES256.from_cryptography_key(self.private.public_key()))
        attested = self.aaguid + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor.encode(cose)
        statement = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self._data(self.flags | AT) + attested})
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "attestationObject": websafe_encode(statement),
            "transports": ["internal", "hybrid"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """AuthenticationResponseJSON for PublicKeyCredentialRequestOptionsJSON."""
        client_data = self._client_data("webauthn.get", options["challenge"])
        data = self._data(self.flags)
        signature = self.private.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
        }
        if self.user_handle is not None:
            response["userHandle"] = websafe_encode(self.user_handle)
        return self._credential(response)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        members = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **self.client_data}
        return json.dumps(members).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = websafe_encode(self.credential_id)
        extensions: dict[str, Any] = {}
        return {
            "id": name, "rawId": name, "type": "public-key", "response": response, "authenticatorAttachment": "platform",
            "clientExtensionResults": extensions,
        }  # fmt: skip


def add_key(user: User, *, kind: registration.Kind = "passkey", name: str = "", **claims: Any) -> tuple[SecurityKey, WebAuthnKey]:
    """A registered passkey (or second factor) of this person, and the authenticator that holds it."""
    held = SecurityKey(**claims)
    asked = registration.begin(user, kind=kind, browser=BROWSER)
    answer = json.dumps(held.create(asked.options))
    return held, registration.complete(user, kind=kind, state=asked.state, answer=answer, browser=BROWSER, name=name)
