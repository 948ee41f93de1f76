"""token-exchange (RFC 8693) of one kind: an ID token of an upstream provider, which an app got by itself, for tokens of ours."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction

from idp.accounts import gate
from idp.accounts.models import User
from idp.consent import agreement
from idp.consent.agreement import Wish
from idp.events import catalogue, emit
from idp.federation import id_token, linking, posted
from idp.federation.identity import Identity
from idp.federation.reach import Unreachable
from idp.federation.upstreams import Upstream
from idp.kernel import limits
from idp.mfa import factors, policy
from idp.oidc.issuance import families
from idp.oidc.issuance.authorization import Authentication, Authorization
from idp.oidc.issuance.codes import CodeGrant
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.words import words
from idp.oidc.resource_indicators.checks import audience
from idp.oidc.token.context import GrantContext
from idp.sessions import assurance

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
PER_MINUTE = 600  # tokens that one client exchanges


def exchange(context: GrantContext) -> Authorization:
    """Judge the token, find the person, open a family. Raises OAuthError; nothing is kept of what was posted.

    Outside of a transaction until the person is known: the upstream may have to be asked for its keys.
    """
    client, form = context.client, context.request.form
    token = form.get("subject_token")
    if token is None or form.get("subject_token_type") != ID_TOKEN:
        raise OAuthError(refusals.SUBJECT_TOKEN_MISSING)
    # RFC 8693 2.1: nobody acts for somebody else here, and what comes out is an access token (with what belongs to it).
    if "actor_token" in form or form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError(refusals.EXCHANGE_UNSUPPORTED)
    if "audience" in form:
        raise OAuthError(refusals.EXCHANGE_UNSUPPORTED, "audience: use resource (RFC 8707)")
    if not limits.hit("oidc.token_exchange.client", client.client_id, limit=PER_MINUTE, seconds=60).allowed:
        raise OAuthError(refusals.SUBJECT_TOKEN_REFUSED, "too many")
    wanted = form.get("scope")
    scopes = words(wanted) if wanted is not None else tuple(sorted(client.scopes - {"offline_access"}))
    if not client.scopes.issuperset(scopes):
        raise OAuthError(refusals.SCOPE_NOT_ALLOWED)
    targets = audience(client, granted=tuple(sorted(client.resources)), requested=context.request.resources, openid="openid" in scopes)
    upstream, who = _proven(context, token)
    with transaction.atomic():
        user = _person(upstream, who)
        resources = tuple(context.request.resources) or tuple(sorted(client.resources))
        _check_person(context, user, who, Wish(frozenset(scopes), frozenset(), frozenset(resources)))
        authentication = Authentication(context.now, assurance.TWO_FACTORS if who.two_factors else assurance.ONE_FACTOR, (), "")
        granted = CodeGrant(
            client_pk=client.pk,
            user_id=user.pk,
            redirect_uri="",
            redirect_uri_sent=False,
            scopes=scopes,
            resources=resources,
            nonce="",
            claims={},
            code_challenge="",
            authentication=authentication,
            epoch=user.credential_epoch,
        )
        family_id = uuid.uuid4()
        refreshable = "refresh_token" in client.grant_types
        refresh_token = families.start(granted, family_id=family_id, refreshable=refreshable, now=context.now)
        emit(catalogue.SignInSucceeded(client_id=client.client_id), person=user.pk)
        emit(catalogue.TokensIssued(client_id=client.client_id, grant_type=GRANT_TYPE, scope=" ".join(scopes)), person=user.pk)
    return Authorization(
        client=client,
        scopes=scopes,
        audience=targets,
        user=user,
        family_id=family_id,
        authentication=authentication,
        refresh_token=refresh_token,
        issued_token_type=ACCESS_TOKEN,
    )


def _proven(context: GrantContext, token: str) -> tuple[Upstream, Identity]:
    client = context.client
    upstream = posted.of_issuer(token)
    if upstream is None or (client.identity_providers is not None and upstream.name not in client.identity_providers):
        raise OAuthError(refusals.SUBJECT_TOKEN_REFUSED, "not of a provider whose tokens are taken")
    try:
        return upstream, posted.accept(token, upstream, of_client=client.client_id)
    except (id_token.Refused, Unreachable) as error:
        reason = "refused" if isinstance(error, id_token.Refused) else "unreachable"
        emit(catalogue.FederationRefused(upstream=upstream.name, reason=reason, detail=str(error)[:100]))
        raise OAuthError(refusals.SUBJECT_TOKEN_REFUSED, str(error)) from None


def _person(upstream: Upstream, who: Identity) -> User:
    found = linking.decide(upstream, who)
    if found.user is None:
        raise OAuthError(refusals.SUBJECT_NEEDS_PAGES, found.why)
    return found.user


def _check_person(context: GrantContext, user: User, who: Identity, wish: Wish) -> None:
    """The account gate and the second factor, as after a password (hostile cases GL-10, GL-11); and what the person agreed to."""
    client = context.client
    reason = gate.refusal(user)
    if reason is not None:
        raise OAuthError(refusals.PERSON_REFUSED, reason)
    proved = assurance.TWO_FACTORS if who.two_factors else assurance.ONE_FACTOR
    enough = all(policy.reaches(proved, wanted) for wanted in (policy.of_person(user.pk).acr, client.min_acr))
    if not enough or (factors.required(user) and not who.two_factors):
        raise OAuthError(refusals.SUBJECT_NEEDS_PAGES, "second factor")
    if settings.IDP.terms_version not in ("", user.terms_version):
        raise OAuthError(refusals.SUBJECT_NEEDS_PAGES, "terms")
    if not client.first_party and agreement.missing(user_id=user.pk, client_id=client.client_id, wish=wish) is not None:
        raise OAuthError(refusals.SUBJECT_NEEDS_PAGES, "consent")
