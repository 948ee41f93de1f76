"""Our events in the words of others: which CAEP and RISC events one of ours becomes. Plain data, no SQL.

Spec: CAEP 1.0 2 (common members), 3.1 (session-revoked), 3.3 (credential-change), 3.4 (assurance-level-change); RISC 1.0 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idp.events.models import EventRecord

_SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"

VERIFICATION = f"{_SSF}verification"
STREAM_UPDATED = f"{_SSF}stream-updated"
SESSION_REVOKED = f"{_CAEP}session-revoked"
CREDENTIAL_CHANGE = f"{_CAEP}credential-change"
ASSURANCE_LEVEL_CHANGE = f"{_CAEP}assurance-level-change"
ACCOUNT_DISABLED = f"{_RISC}account-disabled"
ACCOUNT_ENABLED = f"{_RISC}account-enabled"
ACCOUNT_PURGED = f"{_RISC}account-purged"
IDENTIFIER_CHANGED = f"{_RISC}identifier-changed"
RECOVERY_ACTIVATED = f"{_RISC}recovery-activated"
RECOVERY_INFORMATION_CHANGED = f"{_RISC}recovery-information-changed"

# CAEP 1.0 3.3.1: credential_type. What it has no word for is an "app".
_CREDENTIALS = {"passkey": "fido2-roaming", "webauthn": "fido2-roaming", "sms": "phone-sms", "password": "password"}


@dataclass(frozen=True, slots=True)
class Signal:
    """One event of a token: its type, its members; `sid` = it is about this session only, not all of the person's; `everybody` = about
    all people of the provider at once.
    """

    type: str
    members: Mapping[str, Any] = field(default_factory=dict)
    sid: str = ""
    everybody: bool = False


Translation = Callable[["EventRecord"], Sequence[Signal]]


def _initiator(record: EventRecord) -> str:
    # CAEP 1.0 2: who started it. Without a request behind it, or by another person, it was the administration.
    return "user" if record.ip and (record.by is None or record.by == record.person) else "admin"


def _revoked(record: EventRecord, **members: Any) -> Signal:
    return Signal(SESSION_REVOKED, _common(record, **members))


def _common(record: EventRecord, **members: Any) -> dict[str, Any]:
    return {"event_timestamp": int(record.at.timestamp()), "initiating_entity": _initiator(record), **members}


def _credential(record: EventRecord, kind: str, change: str) -> Signal:
    return Signal(CREDENTIAL_CHANGE, _common(record, credential_type=_CREDENTIALS.get(kind, "app"), change_type=change))


def _password_changed(record: EventRecord) -> Sequence[Signal]:
    return (_credential(record, "password", "update"), _revoked(record))


def _recovered(record: EventRecord) -> Sequence[Signal]:
    return (Signal(RECOVERY_ACTIVATED), _credential(record, "password", "update"), _revoked(record))


def _session_ended(record: EventRecord) -> Sequence[Signal]:
    sid = str(record.data.get("sid", ""))
    return (Signal(SESSION_REVOKED, _common(record), sid=sid),) if sid else ()


def _disabled(record: EventRecord) -> Sequence[Signal]:
    return (Signal(ACCOUNT_DISABLED), _revoked(record))


def _address_changed(_record: EventRecord) -> Sequence[Signal]:
    return (Signal(IDENTIFIER_CHANGED), Signal(RECOVERY_INFORMATION_CHANGED))


def _factor(change: str) -> Translation:
    return lambda record: (_credential(record, str(record.data.get("kind", "")), change),)


def _stepped_up(record: EventRecord) -> Sequence[Signal]:
    level = "nist-aal2" if "mfa" in record.data.get("amr", ()) else "nist-aal1"
    up = {"previous_level": "nist-aal1", "change_direction": "increase"} if level == "nist-aal2" else {}
    return (Signal(ASSURANCE_LEVEL_CHANGE, _common(record, namespace="NIST-AAL", current_level=level, **up)),)


# Our event -> (types that it can become, how). Types come first so that nobody asks a row which stream wants it.
TRANSLATIONS: dict[str, tuple[frozenset[str], Translation]] = {
    "account.password_changed": (frozenset({CREDENTIAL_CHANGE, SESSION_REVOKED}), _password_changed),
    "account.recovered": (frozenset({RECOVERY_ACTIVATED, CREDENTIAL_CHANGE, SESSION_REVOKED}), _recovered),
    "account.signed_out_everywhere": (frozenset({SESSION_REVOKED}), lambda record: (_revoked(record),)),
    "account.all_signed_out": (
        frozenset({SESSION_REVOKED}),
        lambda record: (Signal(SESSION_REVOKED, _common(record), everybody=True),),
    ),
    "session.ended": (frozenset({SESSION_REVOKED}), _session_ended),
    "account.disabled": (frozenset({ACCOUNT_DISABLED, SESSION_REVOKED}), _disabled),
    "account.enabled": (frozenset({ACCOUNT_ENABLED}), lambda record: (Signal(ACCOUNT_ENABLED),)),
    "account.erased": (frozenset({ACCOUNT_PURGED}), lambda record: (Signal(ACCOUNT_PURGED),)),
    "account.email_changed": (frozenset({IDENTIFIER_CHANGED, RECOVERY_INFORMATION_CHANGED}), _address_changed),
    "account.phone_changed": (frozenset({IDENTIFIER_CHANGED, RECOVERY_INFORMATION_CHANGED}), _address_changed),
    "factor.added": (frozenset({CREDENTIAL_CHANGE}), _factor("create")),
    "factor.removed": (frozenset({CREDENTIAL_CHANGE}), _factor("delete")),
    "factor.disabled": (frozenset({CREDENTIAL_CHANGE}), _factor("revoke")),
    "factor.all_reset": (
        frozenset({CREDENTIAL_CHANGE, SESSION_REVOKED}),
        lambda record: (_credential(record, "", "revoke"), _revoked(record)),
    ),
    "sign_in.stepped_up": (frozenset({ASSURANCE_LEVEL_CHANGE}), _stepped_up),
}
SUPPORTED = tuple(sorted({kind for kinds, _translate in TRANSLATIONS.values() for kind in kinds}))


def signals_of(record: EventRecord) -> Sequence[Signal]:
    """What a record is called elsewhere; empty for what nobody outside needs to know."""
    found = TRANSLATIONS.get(record.name)
    return found[1](record) if found else ()
