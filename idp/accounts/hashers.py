"""Passwords that other systems hashed: checked as they are, and hashed anew, our way, when their person signs in next.

Each form has one place: `encoded` reads what an export holds, a hasher checks it. Costs beyond `LIMITS` are refused when they are read, so
that no import can make a sign-in take minutes. All of them wait in the same queue as our own hashes (`passwords.slots`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import bcrypt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings
from django.contrib.auth import hashers

from . import sha_crypt
from .passwords import slots

OURS = "argon2"
MOST_MEMORY = 256 * 1024 * 1024  # bytes that one scrypt or Argon2 hash may want
LIMITS = {"bcrypt": 15, "pbkdf2": 5_000_000, "sha_crypt": 1_000_000, "argon2_passes": 20}
LONGEST = 256  # the column
_B64 = r"[A-Za-z0-9+/=]+"
_DIGESTS = {"sha1": 20, "sha256": 32, "sha512": 64}


class Unknown(ValueError):
    """Not a hash of a kind that we can check, or one that costs too much. The text says which rule; never the hash."""


def is_foreign(encoded: str) -> bool:
    """Whether a stored hash is not in our own form."""
    return not encoded.startswith((f"{OURS}$$argon2id$", f"{OURS}$argon2id$"))


def encoded(value: object) -> str:
    """The form in which `value`, a password hash of an export, is stored. Raises Unknown.

    A text: Django's own (pbkdf2_sha256, pbkdf2_sha1, scrypt, bcrypt, bcrypt_sha256, argon2), `$2a$`, `$2b$`, `$2y$` (bcrypt), `$5$`, `$6$` (SHA-crypt),
    `$argon2id$`, `$argon2i$`, `$argon2d$`, `$scrypt$ln=…`, `$pbkdf2$`, `$pbkdf2-sha256$`, `$pbkdf2-sha512$`.
    An object: `{"algorithm": "pbkdf2", "digest", "iterations", "salt", "hash"}`, `{"algorithm": "scrypt", "n", "r", "p", "salt", "hash"}` or
    `{"algorithm": "firebase_scrypt", "salt", "hash"}`, with salt and hash in base64.
    """
    if isinstance(value, Mapping):
        value = _from_object(value)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > 2 * LONGEST:
        raise Unknown("a password hash is a text or an object")
    for pattern, read in _FORMS:
        found = re.fullmatch(pattern, value)
        if found is not None:
            stored = read(found)
            if len(stored) > LONGEST:
                raise Unknown("the password hash is too long")
            return stored
    raise Unknown("this kind of password hash is not known")


class Bounded:
    """In the queue of all hashes."""

    def verify(self, password: str, encoded: str) -> bool:
        with slots().taken():
            return bool(super().verify(password, encoded))  # type: ignore[misc]

    def harden_runtime(self, password: str, encoded: str) -> None:
        """What evens out the time is done where passwords are judged (`authentication`)."""


class Pbkdf2Sha256(Bounded, hashers.PBKDF2PasswordHasher):
    """Django's."""


class Pbkdf2Sha1(Bounded, hashers.PBKDF2SHA1PasswordHasher):
    """Django's."""


class Scrypt(Bounded, hashers.ScryptPasswordHasher):
    """Django's; `$scrypt$` and objects are read into it."""

    def verify(self, password: str, encoded: str) -> bool:
        _algorithm, n, salt, r, p, digest = encoded.split("$", 5)
        with slots().taken():
            return _same(_scrypt(password, salt.encode(), int(n), int(r), int(p), 64), digest)


class BcryptSha256(Bounded, hashers.BCryptSHA256PasswordHasher):
    """Django's."""


class _Imported(Bounded, hashers.BasePasswordHasher):
    """Checks only: nothing is hashed in this way any more."""

    def encode(self, password: str, salt: str) -> str:
        raise NotImplementedError

    def decode(self, encoded: str) -> dict[str, Any]:
        return {"algorithm": self.algorithm}

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        return {"algorithm": self.algorithm}

    def must_update(self, decoded: str) -> bool:
        return True

    def verify(self, password: str, encoded: str) -> bool:
        with slots().taken():
            return self.matches(password, encoded.split("$"))

    def matches(self, password: str, parts: list[str]) -> bool:
        """Whether `password` made the hash whose stored form was split at its `$` signs."""
        raise NotImplementedError


class Bcrypt(_Imported):
    """`bcrypt$$2b$12$…`: bcrypt looks at 72 bytes, whatever follows."""

    algorithm = "bcrypt"

    def matches(self, password: str, parts: list[str]) -> bool:
        data = "$".join(parts[1:]).replace("$2y$", "$2b$", 1).encode()
        return hmac.compare_digest(bcrypt.hashpw(password.encode()[:72], data), data)


class Pbkdf2(_Imported):
    """`pbkdf2$digest$iterations$salt$hash`, the last two in base64."""

    algorithm = "pbkdf2"

    def matches(self, password: str, parts: list[str]) -> bool:
        _algorithm, digest, iterations, salt, wanted = parts
        stored = base64.b64decode(wanted)
        made = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(salt), int(iterations), len(stored))
        return hmac.compare_digest(made, stored)


class ScryptRaw(_Imported):
    """`scrypt_raw$n$r$p$salt$hash`, the last two in base64: salts that are bytes, hashes of any length."""

    algorithm = "scrypt_raw"

    def matches(self, password: str, parts: list[str]) -> bool:
        _algorithm, n, r, p, salt, wanted = parts
        return _same(_scrypt(password, base64.b64decode(salt), int(n), int(r), int(p), len(base64.b64decode(wanted))), wanted)


class ShaCrypt(_Imported):
    """`sha_crypt$$6$rounds=…$salt$hash`."""

    algorithm = "sha_crypt"

    def matches(self, password: str, parts: list[str]) -> bool:
        stored = "$".join(parts[1:])
        return hmac.compare_digest(sha_crypt.crypt(password, stored), stored)


class FirebaseScrypt(_Imported):
    """`firebase_scrypt$salt$hash`: scrypt makes a key, with which the project's signer key is encrypted (`IDP_FIREBASE_SCRYPT`)."""

    algorithm = "firebase_scrypt"

    def matches(self, password: str, parts: list[str]) -> bool:
        project = firebase_parameters()
        if project is None:
            return False
        salt = base64.b64decode(parts[1]) + project["salt_separator"]
        key = base64.b64decode(_scrypt(password, salt, 2 ** project["mem_cost"], project["rounds"], 1, 32))
        encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        made = encryptor.update(project["signer_key"]) + encryptor.finalize()
        return hmac.compare_digest(made, base64.b64decode(parts[2]))


def firebase_parameters() -> dict[str, Any] | None:
    """The hash parameters of the Firebase project, or None where `IDP_FIREBASE_SCRYPT` is empty. Raises ValueError for a malformed one."""
    text = settings.IDP.firebase_scrypt.get_secret_value()
    return parse_firebase(text) if text else None


def parse_firebase(text: str) -> dict[str, Any]:
    """`signer_key=…,salt_separator=…,rounds=8,mem_cost=14`, as the Firebase console shows them. Raises ValueError."""
    found = dict(part.strip().split("=", 1) for part in text.split(",") if part.strip())
    values: dict[str, Any] = {
        "signer_key": base64.b64decode(found["signer_key"], validate=True),
        "salt_separator": base64.b64decode(found.get("salt_separator", ""), validate=True),
        "rounds": int(found.get("rounds", "8")),
        "mem_cost": int(found.get("mem_cost", "14")),
    }
    if not values["signer_key"] or not 1 <= values["rounds"] <= 8 or not 1 <= values["mem_cost"] <= 17:
        raise ValueError("beyond what is sensible")
    return values


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> str:
    made = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=2 * MOST_MEMORY)
    return base64.b64encode(made).decode()


def _same(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode(), second.encode())


def _from_object(value: Mapping[str, Any]) -> str:
    try:
        salt, made = (_standard(str(value[name])) for name in ("salt", "hash"))
        match value.get("algorithm"):
            case "pbkdf2":
                return f"pbkdf2${value['digest']}${int(value['iterations'])}${salt}${made}"
            case "scrypt":
                return f"scrypt_raw${int(value['n'])}${int(value['r'])}${int(value['p'])}${salt}${made}"
            case "firebase_scrypt":
                return f"firebase_scrypt${salt}${made}"
    except (KeyError, TypeError, ValueError):
        raise Unknown("a member of the password hash is missing or malformed") from None
    raise Unknown("this kind of password hash is not known")


def _standard(text: str) -> str:
    """Base64 of any alphabet and padding as the standard one (RFC 4648 4); passlib's has a dot for the plus sign."""
    plain = text.replace("-", "+").replace("_", "/").replace(".", "+").rstrip("=")
    try:
        return base64.b64encode(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)).decode()
    except binascii.Error:
        raise Unknown("a member of the password hash is not base64") from None


def _at_most(value: str, limit: int) -> int:
    number = int(value[:12])
    if not 1 <= number <= limit:
        raise Unknown("the password hash costs too much to check")
    return number


def _scrypt_costs(n: int, r: int, p: int) -> None:
    if n < 2 or n & (n - 1) or not 1 <= p <= 16 or not 1 <= r <= 64 or 128 * n * r > MOST_MEMORY:
        raise Unknown("the password hash costs too much to check")


def _pbkdf2(digest: str, iterations: str, salt: str, made: str) -> str:
    _at_most(iterations, LIMITS["pbkdf2"])
    if digest not in _DIGESTS or not 16 <= len(base64.b64decode(made)) <= 64:
        raise Unknown("this kind of password hash is not known")
    return f"pbkdf2${digest}${int(iterations)}${salt}${made}"


def _read_bcrypt(found: re.Match[str]) -> str:
    _at_most(found["cost"], LIMITS["bcrypt"])
    return f"bcrypt${found['data']}"


def _read_argon2(found: re.Match[str]) -> str:
    if int(found["m"][:9]) * 1024 > MOST_MEMORY:
        raise Unknown("the password hash costs too much to check")
    _at_most(found["t"], LIMITS["argon2_passes"])
    _at_most(found["p"], 16)
    return f"argon2{found['data']}"


def _read_django_pbkdf2(found: re.Match[str]) -> str:
    _at_most(found["iterations"], LIMITS["pbkdf2"])
    return found[0]


def _read_django_scrypt(found: re.Match[str]) -> str:
    _scrypt_costs(*(int(found[name][:9]) for name in ("n", "r", "p")))
    return found[0]


def _read_scrypt(found: re.Match[str]) -> str:
    n, r, p = 2 ** min(int(found["ln"]), 40), int(found["r"]), int(found["p"])
    _scrypt_costs(n, r, p)
    return f"scrypt_raw${n}${r}${p}${_standard(found['salt'])}${_standard(found['hash'])}"


def _read_scrypt_raw(found: re.Match[str]) -> str:
    _scrypt_costs(*(int(found[name]) for name in ("n", "r", "p")))
    if not 16 <= len(base64.b64decode(found["hash"])) <= 64:
        raise Unknown("this kind of password hash is not known")
    return found[0]


def _read_sha_crypt(found: re.Match[str]) -> str:
    if found["rounds"]:
        _at_most(found["rounds"], LIMITS["sha_crypt"])
    return f"sha_crypt${found[0].removeprefix('sha_crypt$')}"


_PHC = r"[A-Za-z0-9+/.]+"
_BCRYPT = r"(?P<data>\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53})"
_ARGON2 = r"(?P<data>\$argon2(id|i|d)\$v=19\$m=(?P<m>\d+),t=(?P<t>\d+),p=(?P<p>\d+)\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+)"
_FORMS = (
    (rf"(bcrypt\$)?{_BCRYPT}", _read_bcrypt),
    (rf"bcrypt_sha256\${_BCRYPT}", lambda found: (_read_bcrypt(found), found[0])[1]),
    (rf"(argon2)?{_ARGON2}", _read_argon2),
    (rf"pbkdf2_sha(256|1)\$(?P<iterations>\d+)\$[^$]+\${_B64}", _read_django_pbkdf2),
    (rf"scrypt\$(?P<n>\d+)\$[^$]+\$(?P<r>\d+)\$(?P<p>\d+)\${_B64}", _read_django_scrypt),
    (rf"\$scrypt\$ln=(?P<ln>\d{{1,2}}),r=(?P<r>\d{{1,3}}),p=(?P<p>\d{{1,3}})\$(?P<salt>{_PHC})\$(?P<hash>{_PHC})", _read_scrypt),
    (rf"scrypt_raw\$(?P<n>\d{{1,9}})\$(?P<r>\d{{1,3}})\$(?P<p>\d{{1,3}})\${_B64}\$(?P<hash>{_B64})", _read_scrypt_raw),
    (
        rf"\$pbkdf2(-(?P<digest>sha256|sha512))?\$(?P<iterations>\d+)\$(?P<salt>{_PHC})\$(?P<hash>{_PHC})",
        lambda found: _pbkdf2(found["digest"] or "sha1", found["iterations"], _standard(found["salt"]), _standard(found["hash"])),
    ),
    (
        rf"pbkdf2\$(?P<digest>\w+)\$(?P<iterations>\d+)\$(?P<salt>{_B64})\$(?P<hash>{_B64})",
        lambda found: _pbkdf2(found["digest"], found["iterations"], found["salt"], found["hash"]),
    ),
    (r"(sha_crypt\$)?\$[56]\$(rounds=(?P<rounds>\d+)\$)?[^$]{0,16}\$[./A-Za-z0-9]{43,86}", _read_sha_crypt),
    (rf"firebase_scrypt\${_B64}\${_B64}", lambda found: found[0]),
)
