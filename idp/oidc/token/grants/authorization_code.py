"""authorization_code (RFC 6749 4.1.3, OIDC Core 3.1.3): prove, consume, then open the family."""

from __future__ import annotations

import hmac
import uuid

from idp.accounts import gate
from idp.events import catalogue, emit
from idp.oidc.issuance import codes, families
from idp.oidc.issuance.authorization import Authorization
from idp.oidc.pkce import checks as pkce
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.resource_indicators.checks import audience
from idp.oidc.token.context import GrantContext


def redeem(context: GrantContext) -> Authorization:
    """Four statements in two round trips: consume and person; family and event, with the commit.

    Raises OAuthError; whatever fails after the claim burns the code.
    """
    client, form, now = context.client, context.request.form, context.now
    code = form.get("code")
    if code is None:
        raise OAuthError(refusals.CODE_MISSING)
    family_id = uuid.uuid4()
    claimed = codes.consume(code, client=client, family_id=family_id, now=now)
    if claimed is None:
        raise _refuse_unclaimed(context, code)
    granted, user = claimed
    # RFC 6749 4.1.3: identical if it was sent at the authorization endpoint, and still registered (hostile case RU-19).
    redirect_uri = form.get("redirect_uri")
    expected = granted.redirect_uri
    if redirect_uri is None:
        if granted.redirect_uri_sent:
            raise OAuthError(refusals.CODE_REDIRECT_URI_MISMATCH, "redirect_uri is missing")
    elif not hmac.compare_digest(redirect_uri.encode(), expected.encode()):
        raise OAuthError(refusals.CODE_REDIRECT_URI_MISMATCH)
    if not client.allows_redirect_uri(expected):
        raise OAuthError(refusals.CODE_REDIRECT_URI_MISMATCH, "no longer registered")
    pkce.verify(code_challenge=granted.code_challenge, code_verifier=form.get("code_verifier"))
    reason = "erased" if user is None else gate.refusal(user, epoch=granted.epoch)
    if user is None or reason is not None:
        raise OAuthError(refusals.PERSON_REFUSED, str(reason))
    targets = audience(client, granted=granted.resources, requested=context.request.resources, openid="openid" in granted.scopes)
    refresh_token = families.start(granted, family_id=family_id, refreshable="refresh_token" in client.grant_types, now=now)
    scope = " ".join(granted.scopes)
    emit(catalogue.TokensIssued(client_id=client.client_id, grant_type="authorization_code", scope=scope), person=user.pk)
    return Authorization(
        client=client,
        scopes=granted.scopes,
        audience=targets,
        user=user,
        family_id=family_id,
        authentication=granted.authentication,
        nonce=granted.nonce,
        claims=granted.claims,
        refresh_token=refresh_token,
    )


def _refuse_unclaimed(context: GrantContext, code: str) -> OAuthError:
    # RFC 6749 4.1.2: a code used twice takes everything with it that it gave.
    used = codes.family_of_used(code, client=context.client)
    if used is None:
        return OAuthError(refusals.CODE_INVALID)
    family_id, user_id = used
    if families.revoke(family_id, now=context.now):
        emit(catalogue.CodeReplayed(client_id=context.client.client_id), person=user_id)
    return OAuthError(refusals.CODE_REPLAYED)
