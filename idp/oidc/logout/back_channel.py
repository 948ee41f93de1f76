"""Back-channel logout: a signed token to each client, through the outbox, with retries.

Spec: OpenID Connect Back-Channel Logout 1.0 2.4 (logout token), 2.5 (request), 2.8 (response).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings

from idp.events import outbox
from idp.kernel import outbound
from idp.kernel.ids import secret_token
from idp.notifications.receivers import NotNow, Refused
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.keys.ring import signer

RECEIVER = "backchannel_logout"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_SECONDS = 120


def enqueue(client: ClientPolicy, *, sid: str, user_id: UUID) -> None:
    """Tell `client` that the session ended: one outbox row in the caller's transaction."""
    if client.backchannel_logout_uri:
        outbox.enqueue(
            receiver=RECEIVER, payload={"client_id": client.client_id, "sid": sid, "user_id": str(user_id), "jti": secret_token(16)}
        )


def logout_token(client: ClientPolicy, *, sid: str, user_id: UUID, jti: str) -> str:
    """2.4: never a nonce, so that it cannot pass for an ID token; short-lived, typed."""
    moment = int(time.time())
    claims: dict[str, Any] = {
        "iss": settings.IDP.issuer,
        "sub": subject_for(client, user_id),
        "aud": client.client_id,
        "iat": moment,
        "exp": moment + TOKEN_SECONDS,
        "jti": jti,
        "sid": sid,
        "events": {EVENT: {}},
    }
    algorithm = client.id_token_alg if client.id_token_alg != "none" else "RS256"
    return signer(algorithm).sign(claims, typ="logout+jwt")


def deliver(_delivery_id: UUID, payload: Mapping[str, Any]) -> None:
    """The receiver of the outbox: send one logout token, freshly signed. Raises NotNow or Refused (2.8)."""
    client = cache.get(payload["client_id"])
    if client is None or not client.backchannel_logout_uri:
        return  # gone meanwhile: nobody is left to tell
    token = logout_token(client, sid=payload["sid"], user_id=UUID(payload["user_id"]), jti=payload["jti"])
    try:
        answer = outbound.fetch(
            client.backchannel_logout_uri,
            method="POST",
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode({"logout_token": token}).encode(),
        )
    except outbound.Refused:
        raise Refused("the address may not be contacted") from None
    except outbound.OutboundError as error:
        raise NotNow(f"no answer: {type(error).__name__}") from None
    if answer.status in (200, 204):
        return
    # 2.8: 400 means that the client will never accept this token; what may pass is tried again.
    if 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
        raise Refused(f"the client answered {answer.status}")
    raise NotNow(f"the client answered {answer.status}")
