"""Token families: what one authorization gave, how its refresh token rotates, how all of it ends."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from idp.accounts import gate, lookup
from idp.accounts.models import User
from idp.kernel import db
from idp.kernel.ids import digest, secret_token

from .authorization import Authentication
from .codes import CodeGrant

LONGER_THAN_ACCESS_TOKENS = 2 * 3600
LINEAGE_CHARACTERS, TOKEN_CHARACTERS = 22, 65  # 128 bits that name the family, 256 bits that change


@dataclass(frozen=True, slots=True)
class Family:
    """One family with its person, as read together."""

    id: UUID
    client_pk: int
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    nonce: str
    claims: dict[str, Any]
    authentication: Authentication
    epoch: int
    offline: bool
    current_digest: bytes | None
    previous_digest: bytes | None
    successor_sealed: bytes | None
    rotated_at: datetime | None
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    user: User

    def alive(self, now: datetime) -> bool:
        """Not revoked and inside its absolute life."""
        return _alive(self.revoked_at, self.expires_at, now)

    def holds(self, token: str) -> bool:
        """Whether `token` is the present refresh token."""
        return self.current_digest is not None and hmac.compare_digest(self.current_digest, digest(token))

    def refreshable(self, now: datetime) -> bool:
        """Alive and used often enough."""
        return self.alive(now) and self.last_used_at > now - _idle(offline=self.offline)


def _alive(revoked_at: datetime | None, expires_at: datetime, now: datetime) -> bool:
    return revoked_at is None and expires_at > now


def _idle(*, offline: bool) -> timedelta:
    """For how long it may stay unused: without offline_access no longer than the session may."""
    seconds = settings.IDP.refresh_token_idle_seconds
    return timedelta(seconds=seconds if offline else min(seconds, settings.IDP.session_idle_seconds))


_COLUMNS = (
    "id, client_id, scope, resources, nonce, claims, auth_time, acr, amr, sid, epoch, offline, current_digest, previous_digest,"
    " successor_sealed, rotated_at, last_used_at, expires_at, revoked_at"
)
_WIDTH = len(_COLUMNS.split(","))
_SELECT = (
    "SELECT "  # noqa: S608 - constants only
    + ", ".join(f"f.{name.strip()}" for name in _COLUMNS.split(","))
    + ", "
    + ", ".join(f"u.{name}" for name in lookup.COLUMNS)
    + " FROM oidc_token_family f JOIN accounts_user u ON u.id = f.user_id WHERE "
)


def _read(row: tuple[Any, ...] | None) -> Family | None:
    if row is None:
        return None
    (key, client, scope, resources, nonce, claims, auth_time, acr, amr, sid, epoch, offline) = row[:12]
    current, previous, successor, rotated_at, last_used_at, expires_at, revoked_at = row[12:_WIDTH]
    return Family(
        id=db.as_uuid(key),
        client_pk=client,
        scopes=tuple(scope.split()),
        resources=tuple(db.as_json(resources)),
        nonce=nonce,
        claims=db.as_json(claims),
        authentication=Authentication(db.as_time(auth_time), acr, tuple(db.as_json(amr)), sid),
        epoch=epoch,
        offline=bool(offline),
        current_digest=None if current is None else bytes(current),
        previous_digest=None if previous is None else bytes(previous),
        successor_sealed=None if successor is None else bytes(successor),
        rotated_at=None if rotated_at is None else db.as_time(rotated_at),
        last_used_at=db.as_time(last_used_at),
        expires_at=db.as_time(expires_at),
        revoked_at=None if revoked_at is None else db.as_time(revoked_at),
        user=lookup.from_row(row[_WIDTH:]),
    )


def by_id(family_id: UUID) -> Family | None:
    """The family and its person; one SELECT."""
    return _read(db.row(_SELECT + "f.id = %s", [family_id]))


_STANDING = (
    "SELECT f.epoch, f.expires_at, f.revoked_at, "  # noqa: S608 - constants only
    + ", ".join(f"u.{name}" for name in gate.Standing._fields)
    + " FROM oidc_token_family f JOIN accounts_user u ON u.id = f.user_id WHERE f.id = %s"
)


def stands(family_id: UUID, *, now: datetime) -> bool:
    """Whether an access token of this family counts: it is alive and the gate lets its person in; one SELECT of no more than that."""
    row = db.row(_STANDING, [family_id])
    if row is None:
        return False
    epoch, expires_at, revoked_at, *person = row
    return _alive(revoked_at, db.as_time(expires_at), now) and gate.refusal(gate.Standing(*person), epoch=epoch) is None


def by_refresh_token(token: str) -> Family | None:
    """The family that ever gave out this refresh token (or one of the same lineage); one SELECT."""
    if len(token) != TOKEN_CHARACTERS:
        return None
    return _read(db.row(_SELECT + "f.lineage_digest = %s", [digest(token[:LINEAGE_CHARACTERS])]))


def start(grant: CodeGrant, *, family_id: UUID, refreshable: bool, now: datetime) -> str | None:
    """Open a family; returns its first refresh token when `refreshable`. One INSERT."""
    lineage = secret_token(16)
    token = lineage + secret_token(32) if refreshable else None
    expires_at = now + timedelta(seconds=settings.IDP.refresh_token_absolute_seconds if refreshable else LONGER_THAN_ACCESS_TOKENS)
    if refreshable and "offline_access" not in grant.scopes:
        # OIDC Core 11: only offline_access outlives the session, which ends this long after the person authenticated.
        expires_at = min(expires_at, grant.authentication.auth_time + timedelta(seconds=settings.IDP.session_absolute_seconds))
    db.defer(
        f"INSERT INTO oidc_token_family ({_COLUMNS}, user_id, lineage_digest, generation, created_at)"  # noqa: S608 - constants only
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL, NULL, %s, %s, NULL, %s, %s, 0, %s)",
        [
            family_id,
            grant.client_pk,
            " ".join(grant.scopes),
            list(grant.resources),
            grant.nonce,
            grant.claims,
            grant.authentication.auth_time,
            grant.authentication.acr,
            list(grant.authentication.amr),
            grant.authentication.sid,
            grant.epoch,
            "offline_access" in grant.scopes,
            None if token is None else digest(token),
            now,
            expires_at,
            grant.user_id,
            None if token is None else digest(lineage),
            now,
        ],
    )
    return token


def advance(family: Family, *, presented: str, now: datetime) -> str | None:
    """Rotate: one compare-and-set on the present digest. The successor, or None when another request was first."""
    successor = presented[:LINEAGE_CHARACTERS] + secret_token(32)
    touched = db.change(
        "UPDATE oidc_token_family SET current_digest = %s, previous_digest = %s, successor_sealed = %s, rotated_at = %s,"
        " last_used_at = %s, generation = generation + 1 WHERE id = %s AND current_digest = %s AND revoked_at IS NULL",
        [digest(successor), digest(presented), _seal_under(presented, successor), now, now, family.id, digest(presented)],
    )
    return successor if touched == 1 else None


def same_successor(family: Family, *, presented: str, now: datetime) -> str | None:
    """The refresh token that `presented` was exchanged for, if that was moments ago (parallel tabs, a lost answer), else None.

    Only the holder of the previous token can open it; a token two generations old, or a revoked family, gets nothing.
    """
    overlap = timedelta(seconds=settings.IDP.refresh_token_overlap_seconds)
    if family.previous_digest != digest(presented) or family.rotated_at is None or family.successor_sealed is None:
        return None
    if not family.alive(now) or now - family.rotated_at > overlap:
        return None
    return _open_under(presented, family.successor_sealed)


def _key_from(token: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"refresh-token-successor").derive(token.encode()))


def _seal_under(token: str, successor: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + _key_from(token).encrypt(nonce, successor.encode(), None)


def _open_under(token: str, sealed: bytes) -> str | None:
    try:
        return _key_from(token).decrypt(sealed[:12], sealed[12:], None).decode()
    except InvalidTag:
        return None


def revoke(family_id: UUID, *, now: datetime) -> bool:
    """End a family: its refresh token and every access token that names it. False = it had ended before."""
    return db.change("UPDATE oidc_token_family SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL", [now, family_id]) == 1


def revoke_between(*, user_id: UUID, client_pk: int, now: datetime) -> int:
    """End all families and unredeemed codes of a person with a client (consent taken back); returns how many families.

    Codes first: a redemption under way holds the row of its code, so its family is there to be ended when this goes on.
    """
    db.change(
        "UPDATE oidc_authorization_code SET used_at = %s WHERE user_id = %s AND client_id = %s AND used_at IS NULL",
        [now, user_id, client_pk],
    )
    return db.change(
        "UPDATE oidc_token_family SET revoked_at = %s WHERE user_id = %s AND client_id = %s AND revoked_at IS NULL",
        [now, user_id, client_pk],
    )


def revoke_of_session(sid: str, *, now: datetime) -> int:
    """End what a browser session gave and what does not outlive it: no offline_access (OIDC Back-Channel Logout 2.7). Returns how many."""
    db.change("UPDATE oidc_authorization_code SET used_at = %s WHERE sid = %s AND used_at IS NULL", [now, sid])
    return db.change(
        "UPDATE oidc_token_family SET revoked_at = %s WHERE sid = %s AND offline = %s AND revoked_at IS NULL", [now, sid, False]
    )


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of families that ended more than a day ago; returns how many."""
    from idp.kernel.clock import now

    edge = now() - timedelta(days=1)
    # Two statements, each along an index.
    return sum(
        db.change(
            f"DELETE FROM oidc_token_family WHERE id IN (SELECT id FROM oidc_token_family WHERE {column} < %s LIMIT %s)",  # noqa: S608
            [edge, limit],
        )
        for column in ("expires_at", "revoked_at")
    )


WINDOW = 500
_START = UUID(int=0)
_looked_up_to = _START


def delete_idle() -> int:
    """Remove families that nobody has used for a day longer than they may stay unused; returns how many.

    Each call looks at the next `WINDOW` rows by id, round and round: an index on `last_used_at` would make every rotation dearer.
    """
    global _looked_up_to
    from idp.kernel.clock import now

    begin, edge = _looked_up_to, now() - timedelta(days=1)
    last = db.row("SELECT id FROM oidc_token_family WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s", [begin, WINDOW - 1])
    _looked_up_to = _START if last is None else db.as_uuid(last[0])
    return db.change(
        "DELETE FROM oidc_token_family WHERE id IN (SELECT id FROM oidc_token_family WHERE id > %s ORDER BY id LIMIT %s)"
        " AND current_digest IS NOT NULL AND (last_used_at < %s OR (last_used_at < %s AND NOT offline))",
        [begin, WINDOW, edge - _idle(offline=True), edge - _idle(offline=False)],
    )
