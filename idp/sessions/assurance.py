"""How strongly a person has authenticated: acr, amr and auth_time, from what they proved (OIDC Core 2, RFC 8176, NIST SP 800-63B-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NOTHING = "0"  # OIDC Core 2: "did not meet the requirements of ISO/IEC 29115 level 1"
ONE_FACTOR = "urn:kairos:acr:1fa"
TWO_FACTORS = "urn:kairos:acr:mfa"
PHISHING_RESISTANT = "phr"  # OpenID Connect Extended Authentication Profile ACR Values 1.0
HARDWARE = "phrh"  # the same: phishing-resistant, with a key that is known not to leave its hardware
# Strongest first, as discovery publishes them; whoever reaches one reaches those after it.
SUPPORTED = (HARDWARE, PHISHING_RESISTANT, TWO_FACTORS, ONE_FACTOR)

# What each proof is: the kinds of factor that it shows, and its words in RFC 8176.
_KINDS: Mapping[str, frozenset[str]] = {
    "password": frozenset({"know"}),
    "federated": frozenset({"know"}),  # another provider's word: worth a password, and no second one beside a password of ours (GL-11)
    "federated_mfa": frozenset({"know", "have"}),  # the same, in words for two factors that the operator chose to trust (ASVS 6.8.4)
    "totp": frozenset({"have"}),
    "recovery": frozenset({"have"}),
    "sms": frozenset({"have"}),
    "webauthn": frozenset({"have"}),
    "email": frozenset(),  # NIST SP 800-63B-4 3.1.3.1: a mailbox is no authenticator; it never raises the level (MF-16)
}
_VERIFIED = frozenset({"verified"})  # the key, or the provider, asked for PIN, finger or face: a second kind, whichever it was
_WORDS: Mapping[str, tuple[str, ...]] = {
    "password": ("pwd",),
    "federated": (),  # RFC 8176 has no word for it
    "federated_mfa": (),
    "totp": ("otp",),
    "recovery": ("otp",),
    "sms": ("sms",),
    "webauthn": ("pop", "user"),
    "email": ("otp",),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that a person proved, and when. A `method` that is not in the table counts for nothing: a trusted browser, for instance.

    `device` is the factor's reference; a password has none. Of a passkey: `verified` by PIN, finger or face; `synced`, so held by
    software; `attested`: its maker vouches for the hardware.
    """

    method: str
    at: datetime
    device: str = ""
    verified: bool = False
    synced: bool = False
    attested: bool = False

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of factor that it shows."""
        return _KINDS[self.method] | _VERIFIED if self.method == "webauthn" and self.verified else _KINDS[self.method]

    @property
    def in_hardware(self) -> bool:
        """Whether the key cannot have been copied, by its maker's word."""
        return self.method == "webauthn" and self.attested and not self.synced

    @property
    def words(self) -> tuple[str, ...]:
        """Its `amr` values."""
        key = ("hwk",) if self.in_hardware else ("swk",) if self.method == "webauthn" and self.synced else ()
        return (*_WORDS[self.method], *key)


@dataclass(frozen=True, slots=True)
class Assurance:
    """What it comes to. `auth_time` is that of the oldest proof which counts: everything behind it is as fresh, or fresher."""

    acr: str
    amr: tuple[str, ...]
    auth_time: datetime | None


def evaluate(proofs: Iterable[Proof], *, since: datetime | None = None) -> Assurance:
    """What these proofs come to, of those not older than `since`."""
    latest: dict[tuple[str, str], Proof] = {}
    for proof in sorted(proofs, key=lambda proof: proof.at):
        if proof.method in _KINDS and (since is None or proof.at >= since):
            latest.pop((proof.method, proof.device), None)
            latest[proof.method, proof.device] = proof
    if not latest:
        return Assurance(NOTHING, (), None)
    # What is no factor neither ages nor refreshes a sign-in; it stands for one only where there is nothing else.
    counting = [proof for proof in latest.values() if proof.kinds] or list(latest.values())
    kinds = frozenset[str]().union(*(proof.kinds for proof in counting))
    amr = dict.fromkeys(word for proof in latest.values() for word in proof.words)
    if len(kinds) > 1:
        amr["mfa"] = None
    return Assurance(_level(kinds, counting), tuple(amr), min(proof.at for proof in counting))


def _level(kinds: frozenset[str], counting: list[Proof]) -> str:
    if len(kinds) < 2:
        return ONE_FACTOR if kinds else NOTHING
    if any(proof.in_hardware for proof in counting):
        return HARDWARE
    return PHISHING_RESISTANT if any(proof.method == "webauthn" for proof in counting) else TWO_FACTORS


def proofs_of(records: Iterable[Mapping[str, Any]]) -> list[Proof]:
    """The records of a session (method, at in seconds since the epoch, device) as proofs; what is not of that form is left out."""
    found = []
    for record in records:
        at, method, device = record.get("at"), record.get("method"), record.get("device", "")
        if isinstance(at, int | float) and isinstance(method, str) and isinstance(device, str):
            facts = {name: record.get(name) is True for name in ("verified", "synced", "attested")}
            found.append(Proof(method, datetime.fromtimestamp(at, UTC), device, **facts))
    return found


def rank(acr: str) -> int:
    """How strong; 0 for whatever is not one of ours."""
    return len(SUPPORTED) - SUPPORTED.index(acr) if acr in SUPPORTED else 0


def strongest(*values: str) -> str:
    """The strongest of these; an empty text where none is one of ours."""
    return max((value for value in values if rank(value)), key=rank, default="")


def answered(acr: str, wanted: Iterable[str]) -> str:
    """The acr to tell an app: the strongest of those it named that `acr` reaches (OIDC Core 5.5.1.1), else `acr` itself."""
    reached = [value for value in wanted if rank(value) and rank(value) <= rank(acr)]
    return max(reached, key=rank, default=acr)
