"""Every kind of event, once: `name` is "subject.action", the docstring is the description that `docs/events.md` prints.

To add one: write its class here and call `emit()`. Fields hold facts and identifiers only. Never a token, code, secret or
password, nor the value of a profile attribute: the person is the column `person`, the client is the column `client_id` (a field
of that name goes there). A field that can be led back to one person's device or act is named in `personal`. A test walks the names.

The subject decides the stream, and the stream how long a record is kept and what is delivered first.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

__all__ = ["CATALOGUE", "KEPT", "Event", "Priority", "Stream", "is_counted", "priority_of", "stream_of"]


class Stream(StrEnum):
    """Records of one kind, kept equally long; on PostgreSQL each is partitioned by month."""

    ACCOUNT = "account"
    SECURITY = "security"
    TRAFFIC = "traffic"
    SYSTEM = "system"


# How long a record is kept at least; months leave as a whole on PostgreSQL, so it may be one month more there.
KEPT: dict[Stream, timedelta] = {
    Stream.ACCOUNT: timedelta(days=5 * 365),
    Stream.SECURITY: timedelta(days=400),
    Stream.TRAFFIC: timedelta(days=90),
    Stream.SYSTEM: timedelta(days=5 * 365),
}
_STREAMS = {
    "account": Stream.ACCOUNT,
    "profile": Stream.ACCOUNT,
    "consent": Stream.ACCOUNT,
    "tokens": Stream.TRAFFIC,
    "client": Stream.SYSTEM,
    "key": Stream.SYSTEM,
    "delivery": Stream.SYSTEM,
    "webhook": Stream.SYSTEM,
    "staff": Stream.SYSTEM,
    "audit": Stream.SYSTEM,
    "operator": Stream.SYSTEM,
    "ssf": Stream.SYSTEM,
}


def stream_of(name: str) -> Stream:
    """The stream of an event's name, by its subject; sign-ins, sessions, factors and whatever is new are security."""
    if name == "tokens.revoked":
        return Stream.SECURITY
    return _STREAMS.get(name.partition(".")[0], Stream.SECURITY)


def is_counted(name: str) -> bool:
    """Whether it has a number in its person's sequence. The daily traffic has none: parallel requests would queue for the row."""
    return stream_of(name) is not Stream.TRAFFIC


class Priority:
    """What is delivered first when much waits: the lower number."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


_URGENT = frozenset(
    f"account.{action}" for action in ("all_signed_out", "disabled", "erased", "locked", "recovered", "signed_out_everywhere")
)


def priority_of(name: str) -> int:
    """Security before account changes, those before the daily traffic of tokens."""
    if name in _URGENT:
        return Priority.URGENT
    return {Stream.SECURITY: Priority.URGENT, Stream.TRAFFIC: Priority.BULK}.get(stream_of(name), Priority.NORMAL)


class Event:
    """Something that happened. Subclasses are frozen dataclasses whose fields are str, int, bool, tuple of str, or None."""

    __slots__ = ()
    name: ClassVar[str]
    personal: ClassVar[tuple[str, ...]] = ()


# Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreated(Event):
    """An account was created; `method` says how: "signup", "federation", "command", "import" or "staff"."""

    name: ClassVar[str] = "account.created"
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    """What is known about a person changed; `attributes` holds names, never values."""

    name: ClassVar[str] = "profile.changed"
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerified(Event):
    """The account was verified for the first time: from now on it can get something, and the Agent learns of it."""

    name: ClassVar[str] = "account.verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEmailVerified(Event):
    """The person proved that the e-mail address is theirs."""

    name: ClassVar[str] = "account.email_verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPhoneVerified(Event):
    """The person proved that the phone number is theirs."""

    name: ClassVar[str] = "account.phone_verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTermsAccepted(Event):
    """The person accepted the terms of use in this `version`."""

    name: ClassVar[str] = "account.terms_accepted"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExpired(Event):
    """An account that somebody made and never verified was removed, by age or because somebody else proved its address (`reason`)."""

    name: ClassVar[str] = "account.expired"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEmailChanged(Event):
    """The account's e-mail address was replaced."""

    name: ClassVar[str] = "account.email_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPasswordChanged(Event):
    """A new password was set by somebody who was signed in, or by the operator."""

    name: ClassVar[str] = "account.password_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecoveryRequested(Event):
    """Somebody asked for a mail to reset the password of this account."""

    name: ClassVar[str] = "account.recovery_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecovered(Event):
    """A new password was set through the recovery mail."""

    name: ClassVar[str] = "account.recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLocked(Event):
    """Sign-in with a password was locked after repeated failures, for `seconds`."""

    name: ClassVar[str] = "account.locked"
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDisabled(Event):
    """The account was disabled: it gets nothing until it is enabled."""

    name: ClassVar[str] = "account.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEnabled(Event):
    """A disabled account was enabled again."""

    name: ClassVar[str] = "account.enabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSignedOutEverywhere(Event):
    """Every session and refresh token of the account was ended at once."""

    name: ClassVar[str] = "account.signed_out_everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountErased(Event):
    """The account was erased: the last event of this person."""

    name: ClassVar[str] = "account.erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAllSignedOut(Event):
    """The operator ended every session and refresh token of all `people` accounts at once."""

    name: ClassVar[str] = "account.all_signed_out"
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChangeRequested(Event):
    """A person wants another address; `kind` is "email" or "phone". The former one works until the new one is proved."""

    name: ClassVar[str] = "account.address_change_requested"
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPhoneChanged(Event):
    """The account's phone number was replaced or removed."""

    name: ClassVar[str] = "account.phone_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChangeUndone(Event):
    """Whoever reads the former address took it back: everything was signed out."""

    name: ClassVar[str] = "account.address_change_undone"
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequested(Event):
    """A person asked for a file with their data."""

    name: ClassVar[str] = "account.export_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDownloaded(Event):
    """A person downloaded the file with their data; `form` is "json" or "html"."""

    name: ClassVar[str] = "account.export_downloaded"
    form: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRequested(Event):
    """A person asked to be deleted: nothing works for them from now on, and after `days` days everything is erased."""

    name: ClassVar[str] = "account.deletion_requested"
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCancelled(Event):
    """A person who had asked to be deleted changed their mind in time."""

    name: ClassVar[str] = "account.deletion_cancelled"


# Sign-in


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSucceeded(Event):
    """A person signed in; `amr` names the methods (RFC 8176), `sid` the browser session that began. `place` is that of the address, as the file of places has it."""

    name: ClassVar[str] = "sign_in.succeeded"
    personal: ClassVar[tuple[str, ...]] = ("sid", "place")
    amr: tuple[str, ...] = ()
    sid: str | None = None
    client_id: str | None = None
    place: str | None = None
    new_browser: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """A sign-in was refused; `reason` is a word of ours, never what was typed. `person` is empty when nobody matched."""

    name: ClassVar[str] = "sign_in.failed"
    reason: str
    method: str = "password"
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInAlarm(Event):
    """More sign-ins failed in a minute than is usual (`failures`): from now on, for a while, everybody does some work before a guess."""

    name: ClassVar[str] = "sign_in.alarm"
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSteppedUp(Event):
    """Somebody who was signed in proved a further factor; `amr` names all that the session holds now (RFC 8176)."""

    name: ClassVar[str] = "sign_in.stepped_up"
    amr: tuple[str, ...] = ()
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """A browser session ended; `reason` is "logout", "expired", "replaced" or "revoked"."""

    name: ClassVar[str] = "session.ended"
    personal: ClassVar[tuple[str, ...]] = ("sid",)
    reason: str
    sid: str | None = None
    client_id: str | None = None


# Second factors


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAdded(Event):
    """A person added a factor; `kind` says which ("totp", "webauthn"), `factor` is its reference."""

    name: ClassVar[str] = "factor.added"
    kind: str
    factor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRenamed(Event):
    """A person gave a factor another name."""

    name: ClassVar[str] = "factor.renamed"
    kind: str
    factor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRemoved(Event):
    """A factor was removed: it proves nothing any more, in running sessions neither."""

    name: ClassVar[str] = "factor.removed"
    kind: str
    factor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorLocked(Event):
    """Five wrong codes in a row: the factor is not looked at for `seconds`. The one who typed them knew the password."""

    name: ClassVar[str] = "factor.locked"
    kind: str
    factor: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorDisabled(Event):
    """A hundred wrong codes in a row switched a factor off, until another one of the person succeeds."""

    name: ClassVar[str] = "factor.disabled"
    kind: str
    factor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorsReset(Event):
    """All factors of a person, `count` of them, were removed, and their sessions and refresh tokens ended; `request` names who and why."""

    name: ClassVar[str] = "factor.all_reset"
    count: int
    request: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorResetAsked(Event):
    """A reset of a person's factors waits; `source` is "staff", "command" or "person", `request` its number in the staff console."""

    name: ClassVar[str] = "factor.reset_asked"
    request: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorResetDeclined(Event):
    """A reset that waited was called off: by staff, or because the person signed in with a factor after all."""

    name: ClassVar[str] = "factor.reset_declined"
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentPostponed(Event):
    """A person who must set up a second step put it off, inside of the grace period; `days` are left."""

    name: ClassVar[str] = "factor.enrolment_postponed"
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserTrusted(Event):
    """A person is not asked for the second step in this browser for a while; `browser` is its reference."""

    name: ClassVar[str] = "browser.trusted"
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserTrustEnded(Event):
    """Trusted browsers of a person, `count` of them, are trusted no more."""

    name: ClassVar[str] = "browser.trust_ended"
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorSuspected(Event):
    """A passkey looked like a copy and was switched off; `reason` is "counter" or "backup" (WebAuthn L3 7.2)."""

    name: ClassVar[str] = "factor.suspected"
    kind: str
    factor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodesMade(Event):
    """A person made `count` new recovery codes; former ones ended."""

    name: ClassVar[str] = "factor.recovery_codes_made"
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """A recovery code was spent; `left` are unused."""

    name: ClassVar[str] = "factor.recovery_code_used"
    left: int


# Tokens of a person


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensIssued(Event):
    """A client got tokens for a person."""

    name: ClassVar[str] = "tokens.issued"
    personal: ClassVar[tuple[str, ...]] = ("sid",)
    client_id: str
    grant_type: str
    scope: str
    resources: tuple[str, ...] = ()
    sid: str | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRefreshed(Event):
    """A client exchanged a refresh token for new tokens; `family` is the chain it belongs to."""

    name: ClassVar[str] = "tokens.refreshed"
    client_id: str
    scope: str
    resources: tuple[str, ...] = ()
    family: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRevoked(Event):
    """Tokens were revoked; `reason` is a word of ours: "client", "person", "replay", "logout", "staff"."""

    name: ClassVar[str] = "tokens.revoked"
    client_id: str
    reason: str
    family: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReplayed(Event):
    """A used authorization code was presented again: everything that it gave was revoked (RFC 6749 4.1.2)."""

    name: ClassVar[str] = "code.replayed"
    client_id: str
    family: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenReplayed(Event):
    """A rotated refresh token was presented again: its family was revoked (RFC 9700 4.14.2)."""

    name: ClassVar[str] = "refresh_token.replayed"
    client_id: str
    family: str | None = None


# Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGranted(Event):
    """A person allowed a client these scopes."""

    name: ClassVar[str] = "consent.granted"
    client_id: str
    scope: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDenied(Event):
    """A person refused what a client asked for."""

    name: ClassVar[str] = "consent.denied"
    client_id: str
    scope: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevoked(Event):
    """A person, or staff for them, took back what a client was allowed."""

    name: ClassVar[str] = "consent.revoked"
    client_id: str


# Groups


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCreated(Event):
    """A group was made."""

    name: ClassVar[str] = "group.created"
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUpdated(Event):
    """A group was changed; `members` holds the names of what changed."""

    name: ClassVar[str] = "group.updated"
    group: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDeleted(Event):
    """A group was deleted; its people stay."""

    name: ClassVar[str] = "group.deleted"
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberAdded(Event):
    """A person is in a group from now on."""

    name: ClassVar[str] = "group.member_added"
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMemberRemoved(Event):
    """A person is in a group no more."""

    name: ClassVar[str] = "group.member_removed"
    group: str


# Clients


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCreated(Event):
    """A client was registered."""

    name: ClassVar[str] = "client.created"
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUpdated(Event):
    """A client's registration was changed; `members` holds the names of what changed."""

    name: ClassVar[str] = "client.updated"
    client_id: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeleted(Event):
    """A client was deleted with everything that it had been given."""

    name: ClassVar[str] = "client.deleted"
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretRotated(Event):
    """A client got a new secret; the former one still works for the overlap that was chosen."""

    name: ClassVar[str] = "client.secret_rotated"
    client_id: str


# Other providers that sign people in


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAdded(Event):
    """Another provider was configured: people may sign in through it."""

    name: ClassVar[str] = "upstream.added"
    upstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamUpdated(Event):
    """The configuration of another provider was changed; `members` holds the names of what changed."""

    name: ClassVar[str] = "upstream.updated"
    upstream: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRemoved(Event):
    """Another provider was taken away, and with it `links` accounts of people there."""

    name: ClassVar[str] = "upstream.removed"
    upstream: str
    links: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAdded(Event):
    """An account at another provider signs the person in from now on; `method` is "signup", "person" or "takeover" (of an unproved address)."""

    name: ClassVar[str] = "link.added"
    upstream: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRemoved(Event):
    """An account at another provider does not sign the person in any more."""

    name: ClassVar[str] = "link.removed"
    upstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationRefused(Event):
    """An answer of another provider was not accepted; `reason` is a word of ours, `detail` the rule that it broke, never what it held."""

    name: ClassVar[str] = "federation.refused"
    upstream: str
    reason: str
    detail: str = ""


# Signing keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated(Event):
    """A signing key was made and published; it signs from `signs_from` on (Unix seconds)."""

    name: ClassVar[str] = "key.created"
    kid: str
    alg: str
    signs_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRetired(Event):
    """A key no longer signs; it leaves the key set after the last token that it signed has expired."""

    name: ClassVar[str] = "key.retired"
    kid: str
    alg: str


# Deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRetried(Event):
    """Staff or the operator sent a message again."""

    name: ClassVar[str] = "delivery.retried"
    delivery: str
    receiver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySkipped(Event):
    """Staff or the operator gave a dead message up, so that later ones of the same person can leave."""

    name: ClassVar[str] = "delivery.skipped"
    delivery: str
    receiver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsReplayed(Event):
    """Staff or the operator sent `count` events again to `receiver`."""

    name: ClassVar[str] = "delivery.replayed"
    receiver: str
    count: int


# Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAdded(Event):
    """A webhook was added: it is told of events from now on."""

    name: ClassVar[str] = "webhook.added"
    webhook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUpdated(Event):
    """A webhook was changed; `members` holds the names of what changed."""

    name: ClassVar[str] = "webhook.updated"
    webhook: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookKeyRotated(Event):
    """A webhook got a new signing key; messages are signed with the former one as well until it is dropped."""

    name: ClassVar[str] = "webhook.key_rotated"
    webhook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDisabled(Event):
    """A webhook was switched off because it failed for `days` days in a row; what waits for it is kept for a while."""

    name: ClassVar[str] = "webhook.disabled"
    webhook: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRemoved(Event):
    """A webhook was removed with everything that waited for it."""

    name: ClassVar[str] = "webhook.removed"
    webhook: str


# Staff


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffGranted(Event):
    """A person may use the staff console from now on."""

    name: ClassVar[str] = "staff.granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRevoked(Event):
    """A person may no longer use the staff console."""

    name: ClassVar[str] = "staff.revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffActed(Event):
    """Staff did something in the console that left no other event; `page` is its address, `object` the row."""

    name: ClassVar[str] = "staff.acted"
    page: str
    object: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffExported(Event):
    """Staff downloaded a list of the console: `rows` rows in this `format`, as filtered by `filters`."""

    name: ClassVar[str] = "staff.exported"
    page: str
    format: str
    rows: int
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCommandRun(Event):
    """Somebody at the machine ran a command that may change something; `account` is theirs in the operating system."""

    name: ClassVar[str] = "operator.command_run"
    command: str
    account: str


# Shared Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class SsfStreamCreated(Event):
    """A client made an event stream: it is told of what happens to people from now on."""

    name: ClassVar[str] = "ssf.stream_created"
    client_id: str
    stream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SsfStreamUpdated(Event):
    """An event stream was changed, by its client, the operator, or because nobody answered; `members` says what."""

    name: ClassVar[str] = "ssf.stream_updated"
    client_id: str
    stream: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SsfStreamDeleted(Event):
    """An event stream was deleted, with what waited for it."""

    name: ClassVar[str] = "ssf.stream_deleted"
    client_id: str
    stream: str


# Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(Event):
    """The chained log was exported; `people` says whether persons, addresses and user agents are in the file."""

    name: ClassVar[str] = "audit.exported"
    people: bool


# Every class above by its name. Derived, so that a new type is one class and nothing can be forgotten.
CATALOGUE: dict[str, type[Event]] = {
    kind.name: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Event) and dataclasses.is_dataclass(kind)
}
