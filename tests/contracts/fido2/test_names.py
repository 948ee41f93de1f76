"""Every name of fido2 that `idp/mfa/webauthn` leans on: a new release that moves one fails here, not at somebody's sign-in."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from fido2 import cbor, mds3, server, utils, webauthn
from fido2.cose import CoseKey

from idp.mfa.webauthn import relying_party


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_server() -> None:
    assert parameters(server.Fido2Server) == ["rp", "attestation", "verify_origin", "verify_attestation"]
    assert {"user", "credentials", "resident_key_requirement", "user_verification", "authenticator_attachment", "challenge"} <= set(
        parameters(server.Fido2Server.register_begin)
    )
    assert parameters(server.Fido2Server.register_complete) == ["self", "state", "response"]
    assert {"credentials", "user_verification", "challenge"} <= set(parameters(server.Fido2Server.authenticate_begin))
    assert parameters(server.Fido2Server.authenticate_complete) == ["self", "state", "credentials", "response"]


def test_its_state_is_what_we_make_ourselves() -> None:
    made = server.Fido2Server._make_internal_state(b"c" * 32, webauthn.UserVerificationRequirement.REQUIRED)
    assert made == relying_party.state(b"c" * 32, verified=True)


def test_the_attributes_that_we_set() -> None:
    party = relying_party.server(attestation=webauthn.AttestationConveyancePreference.NONE)
    fresh = server.Fido2Server(webauthn.PublicKeyCredentialRpEntity(name="x", id="example.org"))
    assert {"timeout", "allowed_algorithms"} <= set(vars(fresh))
    assert [one.alg for one in party.allowed_algorithms] == [-8, -7, -257]
    assert vars(party)["timeout"] == 300_000
    assert set(relying_party.ALGORITHMS) <= set(CoseKey.supported_algorithms())


def test_the_options_are_what_browsers_parse() -> None:
    party = relying_party.server(attestation=webauthn.AttestationConveyancePreference.NONE)
    options, _state = party.authenticate_begin(challenge=b"c" * 32)
    assert dict(options)["publicKey"]["challenge"] == utils.websafe_encode(b"c" * 32)


@pytest.mark.parametrize(
    ("type_", "names"),
    [
        (webauthn.AuthenticatorData, {"rp_id_hash", "flags", "counter", "credential_data"}),
        (webauthn.AttestedCredentialData, {"aaguid", "credential_id", "public_key"}),
        (webauthn.RegistrationResponse, {"raw_id", "response"}),
        (webauthn.AuthenticationResponse, {"raw_id", "response"}),
        (webauthn.AuthenticatorAssertionResponse, {"client_data", "authenticator_data", "signature", "user_handle"}),
        (webauthn.AuthenticatorAttestationResponse, {"client_data", "attestation_object"}),
    ],
)
def test_the_fields_that_we_read(type_: Any, names: set[str]) -> None:
    assert names <= set(type_.__dataclass_fields__)


def test_what_we_make_for_the_browser() -> None:
    user = webauthn.PublicKeyCredentialUserEntity(id=b"u" * 32, name="ada@example.org", display_name="Ada")
    assert dict(user) == {"id": utils.websafe_encode(b"u" * 32), "name": "ada@example.org", "displayName": "Ada"}
    offered = webauthn.PublicKeyCredentialParameters(type=webauthn.PublicKeyCredentialType.PUBLIC_KEY, alg=-7)
    assert dict(offered) == {"type": "public-key", "alg": -7}
    known = webauthn.PublicKeyCredentialDescriptor(type=webauthn.PublicKeyCredentialType.PUBLIC_KEY, id=b"c", transports=None)
    assert dict(known) == {"type": "public-key", "id": utils.websafe_encode(b"c")}


def test_flags_have_questions() -> None:
    for name in ("is_user_verified", "is_backup_eligible", "is_backed_up"):
        assert callable(getattr(webauthn.AuthenticatorData, name))


def test_the_enumerations() -> None:
    words = {
        str(webauthn.ResidentKeyRequirement.REQUIRED): "required",
        str(webauthn.ResidentKeyRequirement.DISCOURAGED): "discouraged",
        str(webauthn.UserVerificationRequirement.PREFERRED): "preferred",
        str(webauthn.AuthenticatorAttachment.CROSS_PLATFORM): "cross-platform",
        str(webauthn.AttestationConveyancePreference.DIRECT): "direct",
        str(webauthn.PublicKeyCredentialType.PUBLIC_KEY): "public-key",
    }
    assert all(word == meant for word, meant in words.items())


def test_the_metadata() -> None:
    assert parameters(mds3.parse_blob) == ["blob", "trust_root"]
    assert parameters(mds3.MdsAttestationVerifier.verify_attestation) == ["self", "attestation_object", "client_data_hash"]
    assert inspect.signature(mds3.MdsAttestationVerifier).parameters["entry_filter"].default is mds3.filter_revoked


def test_what_it_still_leaves_to_us() -> None:
    """When one of these changes, the check of ours may be read again (idp/mfa/webauthn)."""
    with pytest.raises(IndexError):
        cbor.decode(b"")
    assert server.verify_rp_id("example.org", "https://sub.example.org"), "any sub-domain"
    assert "counter" not in inspect.getsource(server.Fido2Server.authenticate_complete)
    assert "cross" not in inspect.getsource(server.Fido2Server.authenticate_complete).lower()
