"""SHA-crypt, the password hash of Unix systems (`$5$`, `$6$`), for imported people: "Unix crypt using SHA-256 and SHA-512", version 0.4."""

from __future__ import annotations

import hashlib
import re

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROUNDS = 5000
FEWEST, MOST = 1000, 999_999_999


def crypt(password: str, setting: str) -> str:
    """The hash of `password` with the kind, rounds and salt of `setting`, which may be a whole hash. Raises ValueError for another form."""
    found = re.match(r"\$(?P<kind>[56])\$(rounds=(?P<rounds>\d+)\$)?(?P<salt>[^$]{0,16})", setting)
    if found is None:
        raise ValueError("not a SHA-crypt setting")
    kind, salt = found["kind"], found["salt"].encode()
    rounds = min(max(int(found["rounds"]), FEWEST), MOST) if found["rounds"] else ROUNDS
    digest = _digest("sha256" if kind == "5" else "sha512", password.encode(), salt, rounds)
    told = f"rounds={rounds}$" if found["rounds"] else ""
    return f"${kind}${told}{found['salt']}${_written(digest)}"


def _digest(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    size = hashlib.new(name).digest_size

    def made(*parts: bytes) -> bytes:
        return hashlib.new(name, b"".join(parts)).digest()

    def stretched(digest: bytes, length: int) -> bytes:
        return (digest * (length // size + 1))[:length]

    second = made(password, salt, password)  # steps 4 to 8
    first = [password, salt, stretched(second, len(password))]  # 1 to 3, 9, 10
    count = len(password)
    while count:  # 11
        first.append(second if count & 1 else password)
        count >>= 1
    digest = made(*first)  # 12
    p = stretched(made(password * len(password)), len(password))  # 13 to 16
    s = stretched(made(salt * (16 + digest[0])), len(salt))  # 17 to 20
    for number in range(rounds):  # 21
        digest = made(
            p if number & 1 else digest,
            s if number % 3 else b"",
            p if number % 7 else b"",
            digest if number & 1 else p,
        )
    return digest


def _written(digest: bytes) -> str:
    """Step 22: groups of three bytes, least significant characters first."""
    step, groups = (10, 10) if len(digest) == 32 else (21, 21)
    text = []
    for group in range(groups):
        indexes = [group, group + step, group + 2 * step]
        turn = group % 3
        # SHA-256 turns to the left, SHA-512 to the right.
        indexes = indexes[-turn:] + indexes[:-turn] if len(digest) == 32 else indexes[turn:] + indexes[:turn]
        text.append(_characters(int.from_bytes(bytes(digest[i] for i in indexes), "big"), 4))
    last, length = (digest[31] << 8 | digest[30], 3) if len(digest) == 32 else (digest[63], 2)
    return "".join(text) + _characters(last, length)


def _characters(value: int, length: int) -> str:
    return "".join(ALPHABET[value >> 6 * position & 63] for position in range(length))
