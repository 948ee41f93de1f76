"""refresh_token (RFC 6749 6, RFC 9700 4.14): one compare-and-set; a replay ends the family."""

from __future__ import annotations

from idp.accounts import gate
from idp.events import catalogue, emit
from idp.oidc.issuance import families
from idp.oidc.issuance.authorization import Authorization
from idp.oidc.issuance.families import Family
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.words import words
from idp.oidc.resource_indicators.checks import audience
from idp.oidc.token.context import GrantContext


def rotate(context: GrantContext) -> Authorization:
    """Three statements: family with person, compare-and-set, event. Raises OAuthError."""
    client, form, now = context.client, context.request.form, context.now
    token = form.get("refresh_token")
    if token is None:
        raise OAuthError(refusals.REFRESH_TOKEN_MISSING)
    family = families.by_refresh_token(token)
    # A foreign client learns nothing and changes nothing (hostile case RF-05).
    if family is None or family.client_pk != client.pk or not family.refreshable(now):
        raise OAuthError(refusals.REFRESH_TOKEN_INVALID)
    if family.offline and "offline_access" not in client.scopes:
        # OIDC Core 11: what let it outlive the session was taken from the client since (hostile case RF-10).
        raise OAuthError(refusals.REFRESH_TOKEN_INVALID, "offline_access was taken from the client")
    reason = gate.refusal(family.user, epoch=family.epoch)
    if reason is not None:
        raise OAuthError(refusals.PERSON_REFUSED, reason)
    # Everything that can be refused is refused before the token is consumed: a refused request loses nothing.
    scopes = _narrowed(form.get("scope"), family.scopes, client.scopes)
    targets = audience(client, granted=family.resources, requested=context.request.resources, openid="openid" in scopes)
    successor = families.advance(family, presented=token, now=now) if family.holds(token) else None
    if successor is None:
        successor = _overlap_or_replay(context, token)
    else:
        emit(catalogue.TokensRefreshed(client_id=client.client_id, scope=" ".join(scopes)), person=family.user.pk)
    return Authorization(
        client=client,
        scopes=scopes,
        audience=targets,
        user=family.user,
        family_id=family.id,
        authentication=family.authentication,
        claims=family.claims,
        refresh_token=successor,
    )


def _narrowed(wanted: str | None, granted: tuple[str, ...], registered: frozenset[str]) -> tuple[str, ...]:
    # RFC 6749 6: at most what was granted; the grant itself does not shrink. What the client lost since is left out.
    still = tuple(scope for scope in granted if scope in registered)
    if wanted is None:
        return still
    scopes = words(wanted)
    if not set(granted).issuperset(scopes):
        raise OAuthError(refusals.SCOPE_EXCEEDS_GRANT)
    return tuple(scope for scope in scopes if scope in still)


def _overlap_or_replay(context: GrantContext, token: str) -> str:
    family: Family | None = families.by_refresh_token(token)  # as the other request left it
    if family is None:
        raise OAuthError(refusals.REFRESH_TOKEN_INVALID)
    successor = families.same_successor(family, presented=token, now=context.now)
    if successor is not None:
        return successor
    # RFC 9700 4.14.2: one of the two holders is a thief; nobody can tell which.
    if families.revoke(family.id, now=context.now):
        emit(catalogue.RefreshTokenReplayed(client_id=context.client.client_id), person=family.user.pk)
    raise OAuthError(refusals.REFRESH_TOKEN_REPLAYED)
