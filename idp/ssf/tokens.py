"""Security event tokens.

Spec: RFC 8417 2; SSF 1.0 4.1 (typ secevent+jwt, no `sub`, no `exp`, one event, `sub_id`), 3 (subject identifiers, RFC 9493);
CAEP Interoperability Profile 1.0 2.6 (RS256).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from idp.accounts.models import AddressChange
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.keys.ring import signer
from idp.ssf.models import Stream
from idp.ssf.signals import IDENTIFIER_CHANGED, STREAM_UPDATED, VERIFICATION, Signal

TYP = "secevent+jwt"
ALGORITHM = "RS256"


def token(stream: Stream, *, jti: str, txn: str, sub_id: Mapping[str, Any], kind: str, members: Mapping[str, Any]) -> str:
    """One signed token with one event."""
    claims = {
        "iss": settings.IDP.issuer,
        "jti": jti,
        "iat": int(time.time()),
        "aud": stream.client_id,
        "txn": txn,
        "sub_id": dict(sub_id),
        "events": {kind: dict(members)},
    }
    return signer(ALGORITHM).sign(claims, typ=TYP)


def about_person(stream: Stream, client: ClientPolicy, signal: Signal, *, jti: str, txn: str, person: UUID) -> str:
    """The token of a signal; one that is about a single session names person and session (RFC 9493, SSF 1.0 3.2)."""
    user = {"format": "iss_sub", "iss": settings.IDP.issuer, "sub": subject_for(client, person)}
    session = {"format": "opaque", "id": signal.sid}
    sub_id = {"format": "complex", "user": user, "session": session} if signal.sid else user
    return token(stream, jti=jti, txn=txn, sub_id=sub_id, kind=signal.type, members=signal.members)


def about_everybody(stream: Stream, signal: Signal, *, jti: str, txn: str) -> str:
    """The token of a signal about all people at once: the provider itself is the tenant whose subjects they are.

    CAEP 1.0 3.1: the event applies to every session that the members of a complex subject (SSF 1.0 3.2) have in common.
    """
    sub_id = {"format": "complex", "tenant": {"format": "uri", "uri": settings.IDP.issuer}}
    return token(stream, jti=jti, txn=txn, sub_id=sub_id, kind=signal.type, members=signal.members)


def about_identifier(stream: Stream, change: AddressChange, *, jti: str, txn: str) -> str:
    """RISC 1.0 2.6 (identifier-changed): the subject is the former address itself."""
    name = "email" if change.kind == AddressChange.Kind.EMAIL else "phone_number"
    sub_id = {"format": name, name: change.former}
    return token(stream, jti=jti, txn=txn, sub_id=sub_id, kind=IDENTIFIER_CHANGED, members={"new-value": change.address})


def verification(stream: Stream, *, jti: str, state: str | None) -> str:
    """SSF 1.0 8.1.4.1: about the stream itself; `state` exactly as the receiver sent it."""
    return token(stream, jti=jti, txn=jti, sub_id=_itself(stream), kind=VERIFICATION, members={} if state is None else {"state": state})


def updated(stream: Stream, *, jti: str) -> str:
    """SSF 1.0 8.1.5: we changed the status ourselves."""
    members = {"status": stream.status, **({"reason": stream.reason} if stream.reason else {})}
    return token(stream, jti=jti, txn=jti, sub_id=_itself(stream), kind=STREAM_UPDATED, members=members)


def _itself(stream: Stream) -> dict[str, str]:
    return {"format": "opaque", "id": stream.pk}
