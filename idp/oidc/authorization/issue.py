"""What a successful answer holds: the code and, for classic clients, tokens beside it or instead of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.oidc.issuance import codes, families
from idp.oidc.issuance.authorization import Authorization
from idp.oidc.issuance.codes import CodeGrant
from idp.oidc.issuance.mint import mint_front_channel
from idp.oidc.protocol import response_types
from idp.oidc.request.authorization_request import AuthorizationRequest
from idp.oidc.resource_indicators.checks import audience


def members(wanted: AuthorizationRequest, grant: CodeGrant, user: User, *, now: datetime) -> dict[str, str]:
    """The members of a successful authorization response, `state` and `iss` aside (OIDC Core 3.1.2.5, 3.2.2.5, 3.3.2.5)."""
    response_type = wanted.response_type
    if response_type == response_types.CODE:
        return {"code": codes.issue(grant, now=now)}
    with transaction.atomic():
        code = codes.issue(grant, now=now) if "code" in response_type.split() else None
        family_id = _family(wanted, grant, user, now=now) if "token" in response_type.split() else None
    authorization = Authorization(
        client=wanted.client,
        scopes=grant.scopes,
        audience=audience(wanted.client, granted=grant.resources, requested=(), openid="openid" in grant.scopes),
        user=user,
        family_id=family_id,
        authentication=grant.authentication,
        nonce=grant.nonce,
        claims=grant.claims,
    )
    tokens = mint_front_channel(authorization, response_type=response_type, code=code)
    return {**({} if code is None else {"code": code}), **tokens}


def _family(wanted: AuthorizationRequest, grant: CodeGrant, user: User, *, now: datetime) -> uuid.UUID:
    family_id = uuid.uuid4()
    families.start(grant, family_id=family_id, refreshable=False, now=now)
    scope = " ".join(grant.scopes)
    emit(catalogue.TokensIssued(client_id=wanted.client.client_id, grant_type="implicit", scope=scope), person=user.pk)
    return family_id
