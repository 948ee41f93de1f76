"""Whose make a new passkey is: `IDP_PASSKEY_ATTESTATION` and a metadata file (FIDO MDS 3)."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from fido2 import cbor
from fido2.utils import websafe_decode, websafe_encode

from idp.mfa import factors
from idp.mfa.webauthn import assertion, registration
from idp.mfa.webauthn.refused import Refused
from idp.sessions import assurance
from tests.support.security_key import BROWSER, UP, UV, SecurityKey

pytestmark = pytest.mark.django_db
AAGUID = bytes(range(16))


class Maker:
    """A maker of security keys: a root certificate, and one attestation certificate below it."""

    def __init__(self) -> None:
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self._certificate("Maker Root", self.root_key, "Maker Root", ca=True)
        self.leaf = self._certificate("Maker Key", self.key, "Maker Root", ca=False)

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey, issuer: str, *, ca: bool) -> bytes:
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(_name(name)).issuer_name(_name(issuer)).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.root_key, hashes.SHA256())
        )  # fmt: skip
        return built.public_bytes(serialization.Encoding.DER)

    def metadata(self, path: Path, *, status: str = "FIDO_CERTIFIED") -> Path:
        """The file that an operator would download, with this maker only."""
        statement = {
            "description": "Key", "authenticatorVersion": 1, "schema": 3, "upv": [{"major": 1, "minor": 0}],
            "attestationTypes": ["basic_full"], "userVerificationDetails": [], "keyProtection": [], "matcherProtection": [],
            "attachmentHint": [], "tcDisplay": [], "attestationRootCertificates": [base64.b64encode(self.root).decode()],
        }  # fmt: skip
        entry = {
            "aaguid": "00010203-0405-0607-0809-0a0b0c0d0e0f", "statusReports": [{"status": status}],
            "timeOfLastStatusChange": "2026-01-01", "metadataStatement": statement,
        }  # fmt: skip
        blob = {"legalHeader": "", "no": 1, "nextUpdate": "2030-01-01", "entries": [entry]}
        path.write_text(".".join(websafe_encode(json.dumps(part).encode()) for part in ({"alg": "ES256"}, blob)) + ".c2ln\n")
        return path

    def attest(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The same registration with a statement of this maker (WebAuthn L3 8.2, packed)."""
        unattested: Any = cbor.decode(websafe_decode(answer["response"]["attestationObject"]))
        signed = unattested["authData"] + hashlib.sha256(websafe_decode(answer["response"]["clientDataJSON"])).digest()
        statement = {"alg": -7, "sig": self.key.sign(signed, ec.ECDSA(hashes.SHA256())), "x5c": [self.leaf]}
        attested = cbor.encode({"fmt": "packed", "attStmt": statement, "authData": unattested["authData"]})
        return {**answer, "response": {**answer["response"], "attestationObject": websafe_encode(attested)}}


def _name(common: str) -> x509.Name:
    values = [
        (NameOID.COUNTRY_NAME, "PT"),
        (NameOID.ORGANIZATION_NAME, "Maker"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
    ]
    return x509.Name([*(x509.NameAttribute(oid, value) for oid, value in values), x509.NameAttribute(NameOID.COMMON_NAME, common)])


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture
def policy(monkeypatch, tmp_path, maker):
    def choose(attestation: str, **options: str) -> None:
        file = maker.metadata(tmp_path / "blob.jwt", **options)
        chosen = {"passkey_attestation": attestation, "passkey_metadata_file": file}
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=chosen))

    return choose


def register(person: Any, maker: Maker | None) -> Any:
    held = SecurityKey(aaguid=AAGUID, flags=UP | UV)
    asked = registration.begin(person, kind="passkey", browser=BROWSER)
    answer = held.create(asked.options)
    sent = json.dumps(maker.attest(answer) if maker is not None else answer)
    return held, asked, registration.complete(person, kind="passkey", state=asked.state, answer=sent, browser=BROWSER)


def test_nobody_is_asked_unless_the_operator_wants_it(person, maker):
    _held, asked, key = register(person, maker)
    assert asked.options["attestation"] == "none"
    assert not key.attested


def test_a_make_that_is_trusted_reaches_the_highest_level(person, maker, policy):
    policy("required")
    held, asked, key = register(person, maker)
    assert asked.options["attestation"] == "direct"
    assert key.attested
    assert factors.reach(person) == assurance.HARDWARE
    begun = assertion.begin_sign_in(browser=BROWSER)
    proved = assertion.sign_in(state=begun.state, answer=json.dumps(held.get(begun.options)), browser=BROWSER)
    found = assurance.evaluate(assurance.proofs_of([{"method": "webauthn", "at": 1.0, "device": key.persistent_id, **proved.facts}]))
    assert (found.acr, found.amr) == ("phrh", ("pop", "user", "hwk", "mfa"))


def test_another_make_is_refused_where_it_is_required(person, policy):
    policy("required")
    for stranger in (None, Maker()):
        with pytest.raises(Refused, match="unattested"):
            register(person, stranger)


def test_another_make_is_only_not_attested_where_it_is_preferred(person, policy):
    policy("preferred")
    assert not register(person, Maker())[2].attested
    assert not register(person, None)[2].attested


def test_a_revoked_make_is_not_trusted(person, maker, policy):
    policy("required", status="REVOKED")
    with pytest.raises(Refused, match="unattested"):
        register(person, maker)


def test_the_file_is_read_again_when_it_changes(person, maker, policy, tmp_path):
    import os

    policy("required")
    register(person, maker)
    maker.metadata(tmp_path / "blob.jwt", status="REVOKED")
    os.utime(tmp_path / "blob.jwt", ns=(1, 1))
    with pytest.raises(Refused, match="unattested"):
        register(person, maker)


def test_a_broken_file_trusts_nobody(person, maker, policy, tmp_path):
    policy("required")
    (tmp_path / "blob.jwt").write_text("not a blob")
    with pytest.raises(Refused, match="unattested"):
        register(person, maker)
