"""Check an audit export of Kairos ID, anywhere: needs Python 3.11 and the package `cryptography`, nothing else.

    python verify_audit.py export.jsonl [--keys trusted-jwks.json]

A record's hash is SHA-256 over the hash before it and the record as canonical JSON (members sorted, no spaces, UTF-8). Personal data
is in the record as HMAC-SHA-256 of its value under a salt of its own; value and salt travel beside the record, unless they were erased.
Signed heads (ES256, RS256, PS256 or EdDSA) say where every chain stood. Exit code 0: nothing was changed, removed, added or moved.
Without `--keys` the keys in the file itself are used: then compare the printed key ids with those that you know.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEAD_TYPE = "audit-head+jwt"
MOST_EXPIRED = 10_000  # so near the beginning of a chain records may be gone because they were kept long enough


def canonical(value: Any) -> bytes:
    """JSON with sorted members and no spaces, in UTF-8: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def link_hash(previous: bytes, record: Mapping[str, Any]) -> bytes:
    """The hash of the link that follows `previous`."""
    return hashlib.sha256(previous + canonical(record)).digest()


def commitment(salt: bytes, value: Any) -> str:
    """What stands in the record for a piece of personal data, hexadecimal."""
    return hmac.new(salt, canonical(value), hashlib.sha256).hexdigest()


def head_digest(jws: str) -> str:
    """How a head names the one before it, hexadecimal."""
    return hashlib.sha256(jws.encode("ascii", "replace")).hexdigest()


def decode(text: str) -> bytes:
    """Base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signature_valid(jwk: Mapping[str, Any], data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` is that of the key, by the algorithm that the key names."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    def number(name: str) -> int:
        return int.from_bytes(decode(jwk[name]), "big")

    try:
        if jwk["alg"] == "ES256" and len(signature) == 64:
            public = ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
            der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            public.verify(der, data, ec.ECDSA(hashes.SHA256()))
        elif jwk["alg"] == "EdDSA":
            ed25519.Ed25519PublicKey.from_public_bytes(decode(jwk["x"])).verify(signature, data)
        elif jwk["alg"] in ("RS256", "PS256"):
            pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if jwk["alg"] == "PS256" else padding.PKCS1v15()
            rsa.RSAPublicNumbers(number("e"), number("n")).public_key().verify(signature, data, pad, hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def open_head(jws: str, keys: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any] | None, str]:
    """What a head says and its key id; None when its signature is not one of `keys` (key id to JWK)."""
    try:
        head, body, signature = jws.split(".")
        header = json.loads(decode(head))
        kid, jwk = str(header.get("kid")), keys.get(str(header.get("kid")))
        if jwk is None or header.get("typ") != HEAD_TYPE or header.get("alg") != jwk.get("alg"):
            return None, kid
        if not signature_valid(jwk, f"{head}.{body}".encode("ascii"), decode(signature)):
            return None, kid
        claims: dict[str, Any] = json.loads(decode(body))
    except (ValueError, AttributeError):
        return None, ""
    return claims, kid


class Chains:
    """Walks records in order; `problems` names what does not fit, the first one first."""

    def __init__(self, starts: Mapping[str, Mapping[str, Any]]) -> None:
        self.seq = {name: int(start["seq"]) for name, start in starts.items()}
        self.hash = {name: bytes.fromhex(start["hash"]) for name, start in starts.items()}
        self.start = dict(self.seq)
        self.wanted: dict[tuple[str, int], str] = {}
        self.problems: list[str] = []
        self.records = self.erased = self.expired = self.proved = 0

    def expect(self, stream: str, seq: int, digest: str, *, number: int) -> None:
        """A head says that link `seq` has this hash."""
        if seq == self.start.get(stream, 0) and seq and self.hash[stream].hex() != digest:
            self.problems.append(f"{stream} {seq}: head {number} says otherwise about where this file starts")
        elif seq > self.start.get(stream, 0):
            self.wanted[stream, seq] = digest

    def take(self, line: Mapping[str, Any]) -> None:
        """One record."""
        stream, seq, record = str(line["stream"]), int(line["seq"]), line["record"]
        self.records += 1
        place = f"{stream} {seq} (event {record.get('id')})"
        if seq != self.seq.get(stream, 0) + 1:
            self.problems.append(f"{place}: follows {self.seq.get(stream, 0)}: something was removed, added or moved")
        if "missing" in line:
            if line.get("expired") is True and seq <= self.start.get(stream, 0) + MOST_EXPIRED:
                self.expired += 1
            else:
                self.problems.append(f"{place}: the log row was removed")
            self.skip(line)
            return
        if (record.get("stream"), record.get("seq")) != (stream, seq):
            self.problems.append(f"{place}: stands in another place than it says")
        given = bytes.fromhex(line["hash"])
        if link_hash(self.hash.get(stream, bytes(32)), record) != given:
            self.problems.append(f"{place}: the hash does not fit: this record or one before it was changed")
        self.seq[stream], self.hash[stream] = seq, given
        if self.wanted.pop((stream, seq), given.hex()) != given.hex():
            self.problems.append(f"{place}: not what a signed head says")
        for name, committed in record.get("personal", {}).items():
            opened = line.get("opened", {}).get(name)
            if opened is None:
                self.erased += 1
            elif commitment(bytes.fromhex(opened["salt"]), opened["value"]) != committed:
                self.problems.append(f"{place}: {name} was changed")

    def skip(self, line: Mapping[str, Any]) -> None:
        """A link whose record is gone: its hash alone carries the chain on."""
        stream, seq = str(line["stream"]), int(line["seq"])
        self.seq[stream], self.hash[stream] = seq, bytes.fromhex(line["hash"])
        if self.wanted.pop((stream, seq), line["hash"]) != line["hash"]:
            self.problems.append(f"{stream} {seq}: not what a signed head says")

    def finish(self) -> None:
        """Every head must have met its link."""
        for (stream, seq), _digest in sorted(self.wanted.items()):
            self.problems.append(f"{stream} {seq}: a signed head names it, but it is not here: the end was cut off")


def check(lines: Iterable[str], trusted: Mapping[str, Mapping[str, Any]] | None) -> tuple[Chains, set[str]]:
    """Check a whole export; the answer's `problems` are empty when it is whole. Also: the key ids that signed."""
    source = iter(lines)
    header = json.loads(next(source, "{}"))
    if header.get("type") != "audit" or header.get("version") != 1:
        raise ValueError("not an audit export of version 1")
    keys = trusted if trusted is not None else {key["kid"]: key for key in header["keys"]}
    chains = Chains(header["streams"])
    previous, newest_valid, kids, end = None, True, set(), None
    for text in source:
        line = json.loads(text)
        if line["type"] == "head":  # heads come before the records
            claims, kid = open_head(line["jws"], keys)
            newest_valid = claims is not None
            # What a head says is read also when its key is gone; only the newest must be proved, and each names the one before.
            said = claims or json.loads(decode(line["jws"].split(".")[1]))
            if previous is not None and said.get("previous") != previous:
                chains.problems.append(f"head {said.get('number')}: does not follow the head before it")
            previous = head_digest(line["jws"])
            if claims is not None:
                kids.add(kid)
                chains.proved += 1
                for name, place in claims["streams"].items():
                    chains.expect(name, place["seq"], place["hash"], number=claims["number"])
        elif line["type"] == "record":
            chains.take(line)
        elif line["type"] == "end":
            end = line
    chains.finish()
    if not newest_valid:
        chains.problems.append("the newest head is not signed by a key that is trusted")
    if end is None or end["records"] != chains.records:
        chains.problems.append("the file is not complete")
    return chains, kids


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check an audit export of Kairos ID.")
    parser.add_argument("export")
    parser.add_argument("--keys", metavar="FILE", help="JSON Web Key Set with the keys that you trust")
    options = parser.parse_args(arguments)
    trusted = None
    if options.keys:
        trusted = {key["kid"]: key for key in json.loads(Path(options.keys).read_text("utf-8"))["keys"]}
    with Path(options.export).open(encoding="utf-8") as lines:
        try:
            chains, kids = check(lines, trusted)
        except (ValueError, KeyError, TypeError) as error:
            sys.stdout.write(f"BROKEN: this cannot be read as an audit export ({type(error).__name__})\n")
            return 1
    for problem in chains.problems[:20]:
        sys.stdout.write(f"BROKEN: {problem}\n")
    sys.stdout.write(f"{chains.records} records, {chains.proved} heads proved by {', '.join(sorted(kids)) or 'no key'}")
    sys.stdout.write(f", {chains.erased} values erased or left out, {chains.expired} records at the beginning kept long enough\n")
    if not chains.problems:
        sys.stdout.write("The chain is whole.\n")
    return 1 if chains.problems else 0


if __name__ == "__main__":
    sys.exit(main())
