"""Why a person must be asked: named reasons, in the order in which they are looked at, each with its error under prompt=none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings

from idp.consent import agreement
from idp.consent.agreement import Wish
from idp.interactions.paused import Interaction
from idp.mfa import policy
from idp.oidc.claims.selection import needing_consent
from idp.oidc.claims.subject import subject_for
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import Refusal
from idp.oidc.request.authorization_request import AuthorizationRequest
from idp.sessions import assurance

from . import strength

if TYPE_CHECKING:
    from idp.sessions.models import BrowserSession


@dataclass(frozen=True)
class Situation:
    """Everything that the decision looks at."""

    request: AuthorizationRequest
    session: BrowserSession | None
    interaction: Interaction | None
    now: datetime
    trusts: Callable[[], bool] = bool  # whether the session passed the second step by a trusted browser

    @cached_property
    def minimum(self) -> strength.Minimum:
        """What policy asks of the person who is signed in."""
        if self.session is None:
            return strength.Minimum()
        return strength.minimum(self.request.client, self.session.person, acr=self.session.acr, trusts=self.trusts)

    @property
    def proved_afresh(self) -> bool:
        """The person has authenticated since this very request was first seen."""
        if self.session is None or self.interaction is None:
            return False
        return self.session.authenticated_at >= self.interaction.created_at

    @property
    def blocked(self) -> bool:
        """Whether policy wants what this person cannot prove, and setting it up is no way out."""
        minimum = self.minimum
        if not minimum.setup or minimum.may_wait:
            return False
        return self.request.client.enrolment == "block" or not policy.can_be_set_up(minimum.setup)

    def outcome(self, name: str) -> bool:
        """Whether a step of this interaction recorded `name` for the person who is signed in now (hostile case BR-09)."""
        if self.session is None or self.interaction is None:
            return False
        return self.interaction.outcomes.get(name) == str(self.session.person.pk)

    @property
    def wish(self) -> Wish:
        """What the person would have to agree to."""
        scopes = frozenset(self.request.scopes)
        return Wish(scopes, needing_consent(self.request.claims, scopes), frozenset(self.request.resources))


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason to ask: which step answers it, and what prompt=none gets instead."""

    ask: str
    refusal: Refusal
    applies: Callable[[Situation], bool]
    reauthenticate: bool = False


def registration_asked(s: Situation) -> bool:
    # Initiating User Registration 1.0 4: prompt=create. Where nobody may sign up it is an ordinary sign-in (hostile case SN-13).
    return "create" in s.request.prompt and not s.proved_afresh and settings.IDP.signup != "closed"


def account_choice_asked(s: Situation) -> bool:
    # OIDC Core 3.1.2.1: prompt=select_account.
    return "select_account" in s.request.prompt and not s.proved_afresh and not s.outcome("account")


def nobody_signed_in(s: Situation) -> bool:
    return s.session is None


def login_asked(s: Situation) -> bool:
    # OIDC Core 3.1.2.1: prompt=login, judged against the stored request: stripping it from a URL changes nothing.
    return "login" in s.request.prompt and not s.proved_afresh


def too_long_ago(s: Situation) -> bool:
    # OIDC Core 3.1.2.1: max_age in seconds since the person actively authenticated.
    if s.request.max_age is None or s.proved_afresh or s.session is None:
        return False
    return s.now - s.session.authenticated_at > timedelta(seconds=s.request.max_age)


def somebody_else(s: Situation) -> bool:
    # OIDC Core 3.1.2.1 (id_token_hint), 5.5.1 (claims.id_token.sub).
    wanted = wanted_subject(s.request)
    return wanted is not None and s.session is not None and wanted != subject_for(s.request.client, s.session.person.pk)


def setup_due(s: Situation) -> bool:
    # Policy wants more than this person could prove: it is set up now, unless the app would rather refuse, or there is time.
    wanted = s.minimum.setup
    if (
        not wanted
        or s.session is None
        or not policy.can_be_set_up(wanted)
        or (not s.minimum.may_wait and s.request.client.enrolment == "block")
    ):
        return False
    asked = strength.wanted(s.request)
    if asked.essential and not strength.is_within_reach(s.session.person, asked) and not policy.reaches(wanted, asked.acr):
        return False  # it would help nothing
    if not s.minimum.may_wait:
        return True
    if s.outcome("postponed"):
        return False
    # Whoever was asked before is asked again when the time is over; nobody's first time is under prompt=none.
    if not policy.grace_began(s.session.person):
        return "none" not in s.request.prompt or not policy.grants_grace()
    return policy.days_left(s.session.person) == 0


def factor_missing(s: Situation) -> bool:
    # OIDC Core 5.5.1.1, 3.1.2.1 (acr_values), RFC 9470 4: the session has one factor, and one more would do.
    return s.session is not None and policy.reaches(s.session.acr, assurance.ONE_FACTOR) and _too_weak(s)


def strength_missing(s: Situation) -> bool:
    # The same where the session has nothing to add a factor to: everything is proved again.
    return _too_weak(s)


def _too_weak(s: Situation) -> bool:
    if s.session is None:
        return False
    if s.minimum.proof or s.blocked:
        return True
    wanted = strength.wanted(s.request)
    if assurance.rank(s.session.acr) >= assurance.rank(wanted.acr):
        return False
    # A voluntary wish asks nobody for what they do not have, and never ends in an error.
    return wanted.essential or ("none" not in s.request.prompt and strength.is_within_reach(s.session.person, wanted))


def consent_asked(s: Situation) -> bool:
    # OIDC Core 3.1.2.1: prompt=consent.
    return "consent" in s.request.prompt and not s.outcome("consented")


def not_agreed_yet(s: Situation) -> bool:
    # OIDC Core 3.1.2.4 and 11: every scope (offline_access too), claim and resource must have been agreed to.
    if s.outcome("consented") or s.session is None:
        return False
    client = s.request.client
    # RFC 8252 8.6: an app that anybody can imitate is asked about each time, remembered consent or not.
    if client.public and client.application_type == "native" and not s.request.target.redirect_uri.startswith("https://"):
        return True
    if client.first_party:
        return False
    return agreement.missing(user_id=s.session.person.pk, client_id=client.client_id, wish=s.wish) is not None


REASONS: tuple[Reason, ...] = (
    Reason("create", refusals.INTERACTION_REQUIRED, registration_asked),
    Reason("select_account", refusals.ACCOUNT_SELECTION_REQUIRED, account_choice_asked),
    Reason("login", refusals.LOGIN_REQUIRED, nobody_signed_in),
    Reason("login", refusals.LOGIN_REQUIRED, login_asked, reauthenticate=True),
    Reason("login", refusals.LOGIN_REQUIRED, too_long_ago, reauthenticate=True),
    Reason("login", refusals.LOGIN_REQUIRED, somebody_else, reauthenticate=True),
    Reason("enrol", refusals.INTERACTION_REQUIRED, setup_due),
    Reason("second_factor", refusals.LOGIN_REQUIRED, factor_missing),
    Reason("login", refusals.LOGIN_REQUIRED, strength_missing, reauthenticate=True),
    Reason("consent", refusals.CONSENT_REQUIRED, consent_asked),
    Reason("consent", refusals.CONSENT_REQUIRED, not_agreed_yet),
)


def wanted_subject(request: AuthorizationRequest) -> str | None:
    """The only person whom the app wants an answer about, if it said so."""
    options = (request.claims.get("id_token") or {}).get("sub") or {}
    value = options.get("value")
    return value if isinstance(value, str) else request.hinted_subject


def open_reason(situation: Situation) -> Reason | None:
    """The first reason that applies, or None: the request can be answered."""
    return next((reason for reason in REASONS if reason.applies(situation)), None)
