"""How the second step stands in the sign-in: between a right password and the session (`settings.SIGN_IN_STAGES`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from idp import sessions
from idp.accounts import allauth as seam
from idp.accounts import browsers
from idp.accounts.models import User

from . import factors, policy, reset, trust
from .models import Mailbox

if TYPE_CHECKING:
    from .models import Factor

KEY = "second_factor"
ENROL = "enrol"


class _Waiting(seam.Stage):
    """A step that waits for the person; what waits is a row of the session that signs nobody in."""

    @property
    def person(self) -> User:
        """Who is signing in."""
        user = self.login.user
        assert isinstance(user, User)
        return user

    def wait(self) -> tuple[HttpResponseBase, bool]:
        self.state["epoch"] = self.person.credential_epoch
        return HttpResponseRedirect(reverse(self.urlname)), True


class SecondFactorStage(_Waiting):
    """Whoever has a factor is asked for it, unless they trust this browser; others confirm a new browser by mail, if that is wanted."""

    key = KEY
    urlname = "second_factor"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.person
        if self.login.state.get(seam.PASSKEY) is True:
            reset.call_off(user)
        if self.login.state.get(seam.PASSKEY) is True or self.login.state.get(seam.ENOUGH) is True:
            # Enough by itself, unless policy asks for something stronger that this person has.
            return self.wait() if owes_more(self.request, user) else (None, True)
        if not factors.required(user):
            if not self._confirms_browser():
                return None, True
            self.state["by_mail"] = True
            return self.wait()
        # Somebody who is signed in comes here to prove more than the session has: trust proves nothing.
        proves_more = self.request.user.is_authenticated and self.request.user.pk == user.pk
        rule = policy.of_person(user.pk)
        # Whoever must set up something stronger proves what they have, or a password would be enough to add it (MF-07).
        if not proves_more and rule.trusted_browsers and not policy.lacks(user, rule.acr):
            browser = trust.of_browser(self.request, user)
            if browser is not None:
                trust.used(self.request, user, browser)
                return None, True
        return self.wait()

    def _confirms_browser(self) -> bool:
        user = self.person
        if not settings.IDP.confirm_new_browser or not user.email_verified or self.login.signup:
            return False
        return browsers.known_as(self.request, user) is None

    @property
    def by_mail(self) -> bool:
        """Whether a code by mail is asked for: the person has no factor, and was not in this browser before."""
        return self.state.get("by_mail") is True


class EnrolStage(_Waiting):
    """Whoever must have a second step and has none sets one up before they get in; in the grace period they may put it off."""

    key = ENROL
    urlname = "enrol"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.person
        wanted = policy.of_person(user.pk).acr
        if policy.reaches(sessions.proved(self.request, user).acr, wanted) or not policy.lacks(user, wanted):
            return None, True
        return self.wait()


class StillHeldStage(seam.Stage):
    """The last look: what was proved with a factor that is gone by now, or by a trust that ended, lets nobody in (hostile case MF-11)."""

    key = "still_held"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        entries = [entry for entry in seam.recorded(self.request, user) if entry.get("method") != Mailbox.kind]  # a mailbox proves nothing
        used = {str(entry.get("device", "")) for entry in entries} - {""}
        if not used or used <= factors.references(user) | {browser.reference for browser in trust.of_person(user)}:
            return None, True
        seam.abandon(self.request)
        return HttpResponseRedirect(reverse("login")), False


def owes_more(request: HttpRequest, user: User) -> bool:
    """Whether policy asks for more than was proved so far, and this person could prove it."""
    wanted = policy.of_person(user.pk).acr
    return not policy.reaches(sessions.proved(request, user).acr, wanted) and not policy.lacks(user, wanted)


def pending(request: HttpRequest) -> SecondFactorStage | None:
    """The sign-in of this browser that waits for a factor; it ends when the account does, or when the password was changed meanwhile."""
    stage = seam.pending(request, KEY)
    return stage if isinstance(stage, SecondFactorStage) else None


def pending_enrolment(request: HttpRequest) -> EnrolStage | None:
    """The sign-in of this browser that waits for something to be set up."""
    stage = seam.pending(request, ENROL)
    return stage if isinstance(stage, EnrolStage) else None


def complete(
    request: HttpRequest, stage: SecondFactorStage, factor: Factor, *, continue_to: str | None, client_id: str | None, **facts: bool
) -> HttpResponseBase | None:
    """The factor was right: the sign-in goes on, and with it whatever waits at `continue_to`.

    None = it does not, because the policy asks for a stronger factor which this person has.
    """
    user = stage.person
    if factor.user_id != user.pk:
        raise PermissionError("a factor of somebody else")
    seam.record(request, user, factor.kind, device=factor.persistent_id, **facts)
    if stage.by_mail:
        return seam.go_on(request, stage, continue_to=continue_to, client_id=client_id)
    reset.call_off(user)
    if owes_more(request, user):
        return None
    return seam.go_on(request, stage, continue_to=continue_to, client_id=client_id)
