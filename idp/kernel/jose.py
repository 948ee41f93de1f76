"""Signing and verifying compact JWS (RFC 7515) with keys of our own.

Spec: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 3 (algorithms), RFC 7638 (thumbprint), RFC 8725 (best practice).

Every key belongs to exactly one algorithm, so a token can never choose how it is verified (RFC 8725 3.1).
The hot path signs with loaded `cryptography` objects; nothing here parses a key per request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from . import strict_json

_ECDSA = ec.ECDSA(hashes.SHA256())
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
MAX_TOKEN_CHARACTERS = 8192  # RFC 8725 3.11 in spirit: nothing longer is ever decoded

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class TokenRefused(Exception):
    """The token is not one that we signed, in the form that was expected. The message is for logs only."""


_TO_URL = bytes.maketrans(b"+/", b"-_")


def b64encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def b64decode(text: str) -> bytes:
    """Strict base64url without padding. Raises ValueError on any other character or on padding."""
    if not text.isascii() or not text.replace("-", "a").replace("_", "a").isalnum():
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _json_bytes(value: object) -> bytes:
    return _encode(value).encode()


def generate(algorithm: str) -> PrivateKey:
    """A new private key for `algorithm` (one of `ALGORITHMS`). Raises ValueError for any other name."""
    if algorithm in ("RS256", "PS256"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"unknown algorithm {algorithm}")


def serialize_private(key: PrivateKey) -> bytes:
    """PKCS #8 DER, to be sealed before it is stored."""
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def load_private(der: bytes) -> PrivateKey:
    """The inverse of `serialize_private`."""
    # What makes loading slow, fifty milliseconds for an RSA key, is the search for a faulty one; this one we made, and it was sealed.
    key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    return key


def _integer(value: int, length: int | None = None) -> str:
    return b64encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def public_jwk(key: PrivateKey, algorithm: str) -> dict[str, str]:
    """The public JWK with `kid` (RFC 7638 thumbprint), `alg` and `use`; never a private member."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        members = {"e": _integer(numbers.e), "kty": "RSA", "n": _integer(numbers.n)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        members = {"crv": "P-256", "kty": "EC", "x": _integer(point.x, 32), "y": _integer(point.y, 32)}
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        members = {"crv": "Ed25519", "kty": "OKP", "x": b64encode(raw)}
    # RFC 7638 3: the required members only, in lexicographic order.
    thumbprint = hashlib.sha256(_json_bytes(members)).digest()
    return {**members, "kid": b64encode(thumbprint), "alg": algorithm, "use": "sig"}


def public_key_from_jwk(jwk: Mapping[str, str]) -> PublicKey:
    """A loaded public key from a JWK that `public_jwk` made."""
    if jwk["kty"] == "RSA":
        numbers = rsa.RSAPublicNumbers(int.from_bytes(b64decode(jwk["e"])), int.from_bytes(b64decode(jwk["n"])))
        return numbers.public_key()
    if jwk["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(
            int.from_bytes(b64decode(jwk["x"])), int.from_bytes(b64decode(jwk["y"])), ec.SECP256R1()
        ).public_key()
    return ed25519.Ed25519PublicKey.from_public_bytes(b64decode(jwk["x"]))


ENCRYPTION_ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
CONTENT_ENCRYPTIONS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
FOREIGN_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


def unsigned(claims: Mapping[str, Any]) -> str:
    """An unsecured JWS (RFC 7515 6, RFC 7519 6): only ever made for clients that registered `none`, never believed."""
    return f"{b64encode(_json_bytes({'alg': 'none', 'typ': 'JWT'}))}.{b64encode(_json_bytes(claims))}."


def encrypt(content: str | Mapping[str, Any], jwk: Mapping[str, Any], *, alg: str, enc: str) -> str:
    """`content` encrypted to somebody's public key: a nested JWT (RFC 7519 11.2) or plain claims.

    Raises ValueError when the key does not fit.
    """
    header = {"alg": alg, "enc": enc} | ({"kid": jwk["kid"]} if "kid" in jwk else {})
    if isinstance(content, str):
        header["cty"] = "JWT"
    plaintext = content.encode() if isinstance(content, str) else _json_bytes(content)
    try:
        jwe = JWE(plaintext, protected=json.dumps(header), algs=[alg, enc])
        jwe.add_recipient(_jwk(jwk))
        return str(jwe.serialize(compact=True))
    except (JWException, TypeError, ValueError) as error:
        raise ValueError("the key does not fit") from error


def header_of(token: str) -> dict[str, Any]:
    """The header of a compact JWS, believed in nothing. Raises TokenRefused."""
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii() or token.count(".") != 2:
        raise TokenRefused("not a compact JWS of reasonable size")
    try:
        header = strict_json.loads(b64decode(token.partition(".")[0]))
    except ValueError as error:
        raise TokenRefused("malformed header") from error
    if not isinstance(header, dict):
        raise TokenRefused("header is not an object")
    return header


def unverified_claims(token: str) -> dict[str, Any]:
    """What a compact JWS claims, believed in nothing: to find out whose keys to try. Raises TokenRefused."""
    header_of(token)
    return _claims(token.split(".")[1])


def claims_of_unsigned(token: str) -> dict[str, Any]:
    """The claims of an unsecured JWS whose header says `none` and whose signature is empty. Raises TokenRefused."""
    header = header_of(token)
    body, signature = token.split(".")[1:]
    if header.get("alg") != "none" or signature or "crit" in header:
        raise TokenRefused("not an unsecured JWS")
    return _claims(body)


def _claims(encoded: str) -> dict[str, Any]:
    try:
        claims = strict_json.loads(b64decode(encoded))
    except ValueError as error:
        raise TokenRefused("malformed claims") from error
    if not isinstance(claims, dict):
        raise TokenRefused("claims are not an object")
    return claims


def verify_foreign(token: str, keys: Iterable[Mapping[str, Any]], *, algorithms: Iterable[str]) -> dict[str, Any]:
    """The claims of a JWS that one of somebody's registered public keys signed with one of `algorithms`.

    Keys come from the registration only, never from the token (RFC 8725 3.10); a `kid` narrows them. Raises TokenRefused.
    """
    header = header_of(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if "crit" in header or algorithm not in tuple(algorithms):
        raise TokenRefused("crit, or an algorithm that is not registered")
    for jwk in keys:
        if kid is not None and "kid" in jwk and jwk["kid"] != kid:
            continue
        if _fits(jwk, str(algorithm)) and _signed_by(token, jwk, str(algorithm)):
            return _claims(token.split(".")[1])
    raise TokenRefused("no registered key fits")


def verify_symmetric(token: str, secret: str) -> dict[str, Any]:
    """The claims of an HS256 JWS over a client's generated secret (OIDC Core 9, client_secret_jwt). Raises TokenRefused."""
    header = header_of(token)
    if header.get("alg") != "HS256" or "crit" in header:
        raise TokenRefused("not HS256")
    signing_input, _, signature = token.rpartition(".")
    expected = hmac.new(secret.encode(), signing_input.encode("ascii"), hashlib.sha256).digest()
    try:
        given = b64decode(signature)
    except ValueError as error:
        raise TokenRefused("malformed signature") from error
    if not hmac.compare_digest(expected, given):
        raise TokenRefused("bad signature")
    return _claims(token.split(".")[1])


_KEY_TYPE = {"RS256": ("RSA",), "PS256": ("RSA",), "ES256": ("EC",), "EdDSA": ("OKP",)}


def _fits(jwk: Mapping[str, Any], algorithm: str) -> bool:
    # RFC 7517 4.2, 4.4; RFC 8725 3.2: the right kind, for signatures, strong enough.
    if jwk.get("kty") not in _KEY_TYPE[algorithm] or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        return False
    if algorithm == "ES256":
        return jwk.get("crv") == "P-256"
    if algorithm == "EdDSA":
        return jwk.get("crv") == "Ed25519"
    return _strong(jwk)


def _strong(jwk: Mapping[str, Any]) -> bool:
    # RFC 7518 3.3, 3.5: an RSA modulus of at least 2048 bits; curves are of one size each.
    if jwk.get("kty") != "RSA":
        return True
    try:
        return int.from_bytes(b64decode(jwk["n"]), "big").bit_length() >= 2048
    except (KeyError, TypeError, ValueError):
        return False


def _signed_by(token: str, jwk: Mapping[str, Any], algorithm: str) -> bool:
    try:
        jws = JWS()
        jws.allowed_algs = [algorithm]
        jws.deserialize(token, _jwk(jwk))
    except (JWException, TypeError, ValueError):
        return False
    return True


def _jwk(jwk: Mapping[str, Any]) -> JWK:
    # jwcrypto takes a member `generate` for the wish to make a new key, of any size: minutes of work for a stranger's line of JSON.
    if "generate" in jwk:
        raise ValueError("not a key")
    return JWK(**jwk)


def readable_jwk(jwk: Mapping[str, Any]) -> bool:
    """Whether somebody else's JWK is one that can be used (RFC 7517 4, RFC 7518 6): well formed and not weak."""
    try:
        _jwk(jwk)
    except (JWException, TypeError, ValueError):
        return False
    return _strong(jwk)


@dataclass(frozen=True, eq=False)
class Signer:
    """One loaded private key, ready to sign."""

    kid: str
    algorithm: str
    key: PrivateKey

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {}

    def _header(self, typ: str) -> str:
        encoded = self._headers.get(typ)
        if encoded is None:
            encoded = self._headers[typ] = b64encode(_json_bytes({"alg": self.algorithm, "typ": typ, "kid": self.kid}))
        return encoded

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """The compact JWS of `claims` with the explicit type `typ` (RFC 8725 3.11)."""
        signing_input = f"{self._header(typ)}.{b64encode(_json_bytes(claims))}"
        return f"{signing_input}.{b64encode(self._signature(signing_input.encode('ascii')))}"

    def _signature(self, data: bytes) -> bytes:
        key = self.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(key.sign(data, _ECDSA))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        if self.algorithm == "PS256":
            return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True, eq=False)
class Verifier:
    """One loaded public key with the only algorithm that it may be used for."""

    kid: str
    algorithm: str
    key: PublicKey

    def valid(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` over `data` is this key's, by this key's algorithm."""
        key = self.key
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                if len(signature) != 64:  # the JWS form is r || s, never DER (RFC 7518 3.4)
                    return False
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                key.verify(encode_dss_signature(r, s), data, _ECDSA)
            elif isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, data)
            elif self.algorithm == "PS256":
                key.verify(signature, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
            else:
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def looks_like_jws(token: str) -> bool:
    """Three dot-separated parts: worth trying `verify`."""
    return token.count(".") == 2


def verify(token: str, verifiers: Mapping[str, Verifier], *, typ: str) -> dict[str, Any]:
    """The claims of a compact JWS signed by one of `verifiers` (by `kid`) and explicitly typed `typ`.

    Raises TokenRefused. Nothing about time, issuer or audience is judged here.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise TokenRefused("too long or not ASCII")
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenRefused("not a compact JWS")
    try:
        header = json.loads(b64decode(parts[0]))
        signature = b64decode(parts[2])
    except (ValueError, RecursionError) as error:
        raise TokenRefused("malformed header or signature") from error
    if not isinstance(header, dict):
        raise TokenRefused("header is not an object")
    # RFC 7515 4.1.11: an extension that is not understood must be refused; none is understood.
    if "crit" in header:
        raise TokenRefused("crit")
    kid = header.get("kid")
    verifier = verifiers.get(kid) if isinstance(kid, str) else None
    if verifier is None or header.get("alg") != verifier.algorithm:
        raise TokenRefused("unknown key or foreign algorithm")
    # RFC 8725 3.11: one kind of token is never taken for another.
    if header.get("typ") != typ:
        raise TokenRefused("wrong typ")
    if not verifier.valid(f"{parts[0]}.{parts[1]}".encode("ascii"), signature):
        raise TokenRefused("bad signature")
    claims: dict[str, Any] = json.loads(b64decode(parts[1]))  # ours, by its signature
    return claims


def left_half_hash(value: str, algorithm: str) -> str:
    """`at_hash` and `c_hash` (OIDC Core 3.1.3.6, 3.3.2.11).

    The hash is that of the ID token's algorithm: SHA-256 for the 256 family; Ed25519 hashes with SHA-512 inside.
    """
    digest = (hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256)(value.encode("ascii")).digest()
    return b64encode(digest[: len(digest) // 2])
