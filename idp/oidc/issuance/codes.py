"""Authorization codes: kept as digests, consumed by one compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from idp.accounts import lookup
from idp.accounts.models import User
from idp.kernel import db
from idp.kernel.ids import digest, secret_token
from idp.oidc.clients.policy import ClientPolicy

from .authorization import Authentication


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """What a code stands for."""

    client_pk: int
    user_id: UUID
    redirect_uri: str
    redirect_uri_sent: bool
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    nonce: str
    claims: dict[str, Any]
    code_challenge: str
    authentication: Authentication
    epoch: int


_COLUMNS = (
    "client_id, user_id, redirect_uri, redirect_uri_sent, scope, resources, nonce, claims, code_challenge, auth_time, acr, amr, sid, epoch"
)


def issue(grant: CodeGrant, *, now: datetime) -> str:
    """Store what is granted and return the code: 256 random bits, known to nobody else. One INSERT."""
    code = secret_token(32)
    authentication = grant.authentication
    db.change(
        f"INSERT INTO oidc_authorization_code ({_COLUMNS}, digest, created_at, expires_at)"  # noqa: S608 - constants only
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            grant.client_pk,
            grant.user_id,
            grant.redirect_uri,
            grant.redirect_uri_sent,
            " ".join(grant.scopes),
            list(grant.resources),
            grant.nonce,
            grant.claims,
            grant.code_challenge,
            authentication.auth_time,
            authentication.acr,
            list(authentication.amr),
            authentication.sid,
            grant.epoch,
            digest(code),
            now,
            now + timedelta(seconds=settings.IDP.code_seconds),
        ],
    )
    return code


# One statement after the other, one round trip; the person of a code that somebody else may use is read and forgotten.
_CONSUME = (
    "UPDATE oidc_authorization_code SET used_at = %s, family_id = %s"  # noqa: S608 - constants only
    f" WHERE digest = %s AND client_id = %s AND used_at IS NULL AND expires_at > %s RETURNING {_COLUMNS}"
)
_PERSON = lookup.SELECT + "id = (SELECT user_id FROM oidc_authorization_code WHERE digest = %s)"  # noqa: S608 - constants only


def consume(code: str, *, client: ClientPolicy, family_id: UUID, now: datetime) -> tuple[CodeGrant, User | None] | None:
    """Claim the code for its own client: exactly one caller ever gets the grant, and the person (None = erased) with it.

    None = unknown, expired, used, foreign. A foreign client cannot burn it: its `client_id` is part of the condition (hostile case CO-04).
    """
    hashed = digest(code)
    claimed, people = db.together((_CONSUME, [now, family_id, hashed, client.pk, now]), (_PERSON, [hashed]))
    if not claimed:
        return None
    (client_pk, user_id, redirect_uri, sent, scope, resources, nonce, claims, challenge, auth_time, acr, amr, sid, epoch) = claimed[0]
    grant = CodeGrant(
        client_pk=client_pk,
        user_id=db.as_uuid(user_id),
        redirect_uri=redirect_uri,
        redirect_uri_sent=bool(sent),
        scopes=tuple(scope.split()),
        resources=tuple(db.as_json(resources)),
        nonce=nonce,
        claims=db.as_json(claims),
        code_challenge=challenge,
        authentication=Authentication(db.as_time(auth_time), acr, tuple(db.as_json(amr)), sid),
        epoch=epoch,
    )
    return grant, lookup.from_row(people[0]) if people else None


def family_of_used(code: str, *, client: ClientPolicy) -> tuple[UUID, UUID] | None:
    """The family and person that an already used code of this client gave tokens to, or None."""
    row = db.row(
        "SELECT family_id, user_id FROM oidc_authorization_code WHERE digest = %s AND client_id = %s AND used_at IS NOT NULL",
        [digest(code), client.pk],
    )
    return None if row is None or row[0] is None else (db.as_uuid(row[0]), db.as_uuid(row[1]))


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of codes that expired more than a day ago; returns how many."""
    return db.change(
        "DELETE FROM oidc_authorization_code WHERE digest IN (SELECT digest FROM oidc_authorization_code WHERE expires_at < %s LIMIT %s)",
        [_yesterday(), limit],
    )


def _yesterday() -> datetime:
    from idp.kernel.clock import now

    return now() - timedelta(days=1)
