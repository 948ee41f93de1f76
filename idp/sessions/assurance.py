"""How strongly a person has authenticated: acr, amr and auth_time, from what they proved (OIDC Core 2, RFC 8176, NIST SP 800-63B-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NOTHING = "0"  # OIDC Core 2: "did not meet the requirements of ISO/IEC 29115 level 1"
ONE_FACTOR = "urn:kairos:acr:1fa"
TWO_FACTORS = "urn:kairos:acr:mfa"
# Strongest first, as discovery publishes them; whoever reaches one reaches those after it.
SUPPORTED = (TWO_FACTORS, ONE_FACTOR)

# What each proof is: the kinds of factor that it shows, and its words in RFC 8176.
_KINDS: Mapping[str, frozenset[str]] = {
    "password": frozenset({"know"}),
    "totp": frozenset({"have"}),
    "recovery": frozenset({"have"}),
}
_WORDS: Mapping[str, tuple[str, ...]] = {"password": ("pwd",), "totp": ("otp",), "recovery": ("otp",)}


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that a person proved, and when. `device` is the factor's reference; a password has none."""

    method: str
    at: datetime
    device: str = ""


@dataclass(frozen=True, slots=True)
class Assurance:
    """What it comes to. `auth_time` is that of the oldest proof which counts: everything behind it is as fresh, or fresher."""

    acr: str
    amr: tuple[str, ...]
    auth_time: datetime | None


def evaluate(proofs: Iterable[Proof], *, since: datetime | None = None) -> Assurance:
    """What these proofs come to, of those not older than `since`. A method that is not in the table counts for nothing."""
    latest: dict[tuple[str, str], Proof] = {}
    for proof in sorted(proofs, key=lambda proof: proof.at):
        if proof.method in _KINDS and (since is None or proof.at >= since):
            latest.pop((proof.method, proof.device), None)
            latest[proof.method, proof.device] = proof
    if not latest:
        return Assurance(NOTHING, (), None)
    kinds = frozenset[str]().union(*(_KINDS[proof.method] for proof in latest.values()))
    amr = dict.fromkeys(word for proof in latest.values() for word in _WORDS[proof.method])
    if len(kinds) > 1:
        amr["mfa"] = None
    acr = TWO_FACTORS if len(kinds) > 1 else ONE_FACTOR
    return Assurance(acr, tuple(amr), min(proof.at for proof in latest.values()))


def proofs_of(records: Iterable[Mapping[str, Any]]) -> list[Proof]:
    """The records of a session (method, at in seconds since the epoch, device) as proofs; what is not of that form is left out."""
    found = []
    for record in records:
        at, method, device = record.get("at"), record.get("method"), record.get("device", "")
        if isinstance(at, int | float) and isinstance(method, str) and isinstance(device, str):
            found.append(Proof(method, datetime.fromtimestamp(at, UTC), device))
    return found


def rank(acr: str) -> int:
    """How strong; 0 for whatever is not one of ours."""
    return len(SUPPORTED) - SUPPORTED.index(acr) if acr in SUPPORTED else 0


def answered(acr: str, wanted: Iterable[str]) -> str:
    """The acr to tell an app: the strongest of those it named that `acr` reaches (OIDC Core 5.5.1.1), else `acr` itself."""
    reached = [value for value in wanted if rank(value) and rank(value) <= rank(acr)]
    return max(reached, key=rank, default=acr)
