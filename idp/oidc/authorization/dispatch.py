"""The one dispatcher: every door and every finished step ends here, and stored state decides what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.http import HttpRequest

from idp import sessions
from idp.accounts.models import User
from idp.interactions import paused
from idp.interactions.paused import ClientCard, Interaction
from idp.mfa import trust
from idp.oidc.claims.subject import subject_for
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.issuance.authorization import Authentication
from idp.oidc.issuance.codes import CodeGrant
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.request.authorization_request import AuthorizationRequest

from . import strength
from .prompts import Situation, factor_missing, open_reason, strength_missing, wanted_subject

if TYPE_CHECKING:
    from idp.sessions.models import BrowserSession


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Send the browser to this page of ours."""

    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The person is known and has agreed: this is what the app gets a code for."""

    grant: CodeGrant
    user: User


def dispatch(request: HttpRequest, wanted: AuthorizationRequest, interaction: Interaction | None, *, now: datetime) -> AskPerson | Answer:
    """Ask the person for the next thing, or answer. Raises OAuthError, to be redirected to the app."""
    session = sessions.current(request)
    situation = Situation(
        request=wanted,
        session=session,
        interaction=interaction,
        now=now,
        trusts=lambda: session is not None and trust.stands_on(request, session.person),
    )
    if situation.outcome("denied"):
        raise OAuthError(refusals.ACCESS_DENIED, "declined by the person")
    reason = open_reason(situation)
    if reason is None and session is not None:
        return Answer(_grant(wanted, session), session.person)
    assert reason is not None
    if reason.applies in (factor_missing, strength_missing) and session is not None:
        wish = strength.wanted(wanted)
        if situation.blocked or (wish.essential and not strength.is_within_reach(session.person, wish)):
            # Unmet Authentication Requirements 1.0: asking cannot help, this person has nothing to prove it with.
            raise OAuthError(refusals.ACR_UNATTAINABLE, "the person holds no factor for it")
    if "none" in wanted.prompt:
        raise OAuthError(reason.refusal, reason.applies.__name__)
    if situation.proved_afresh and reason.applies.__name__ == "somebody_else":
        # OIDC Core 3.1.2.1: another person signed in than the app asked for; asking again would never end.
        raise OAuthError(refusals.LOGIN_REQUIRED, "another person signed in")
    if interaction is None:
        interaction = paused.begin(
            request, parameters=wanted.raw.stored(), card=card(wanted.client), ask=reason.ask, reauthenticate=reason.reauthenticate
        )
    else:
        interaction.now_asks(reason.ask, reauthenticate=reason.reauthenticate)
    if reason.ask == "enrol":
        interaction.record(enrolment="may_wait" if situation.minimum.may_wait else "must", enrolment_acr=situation.minimum.setup)
    if reason.ask == "consent" and session is not None:
        agreed = situation.wish
        stored = {"scopes": sorted(agreed.scopes), "claims": sorted(agreed.claims), "resources": sorted(agreed.resources)}
        interaction.record(wish=stored, wish_of=str(session.person.pk))
    return AskPerson(interaction.page_url())


def unasked(wanted: AuthorizationRequest, session: BrowserSession, *, now: datetime) -> Answer | None:
    """The answer to a request by itself, or None where `dispatch` has to go on: somebody must be asked, or there is an error to tell."""
    if open_reason(Situation(request=wanted, session=session, interaction=None, now=now)) is not None:
        return None
    return Answer(_grant(wanted, session), session.person)


def card(client: ClientPolicy) -> ClientCard:
    """What pages show of a client."""
    return ClientCard(
        name=client.name,
        logo_uri=client.logo,
        domain=client.domain,
        policy_uri=client.policy_uri,
        tos_uri=client.tos_uri,
        verified=client.verified,
        colour=client.brand_colour,
        radius=client.brand_radius,
        identity_providers=None if client.identity_providers is None else list(client.identity_providers),
    )


def _grant(wanted: AuthorizationRequest, session: BrowserSession) -> CodeGrant:
    acr = strength.answered(wanted, session.acr)
    hinted = wanted_subject(wanted)
    assert hinted is None or hinted == subject_for(wanted.client, session.person.pk)
    return CodeGrant(
        client_pk=wanted.client.pk,
        user_id=session.person.pk,
        redirect_uri=wanted.target.redirect_uri,
        redirect_uri_sent=wanted.target.redirect_uri_sent,
        scopes=wanted.scopes,
        resources=wanted.resources,
        nonce=wanted.nonce,
        claims=dict(wanted.claims),
        code_challenge=wanted.code_challenge,
        authentication=Authentication(session.authenticated_at, acr, tuple(session.amr), session.sid),
        epoch=session.epoch,
    )
