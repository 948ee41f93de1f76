"""How the second factor stands in the sign-in: between a right password and the session (`settings.SIGN_IN_STAGES`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from idp.accounts import allauth as seam
from idp.accounts import gate
from idp.accounts.models import User

from . import factors

if TYPE_CHECKING:
    from .models import Factor

KEY = "second_factor"


class SecondFactorStage(seam.Stage):
    """Whoever has a factor is asked for it; what waits meanwhile is a row of the session that signs nobody in."""

    key = KEY
    urlname = "second_factor"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        enough = self.login.state.get(seam.PASSKEY) is True or self.login.state.get(seam.ENOUGH) is True
        if enough or not factors.required(user):
            return None, True
        self.state["epoch"] = user.credential_epoch
        return HttpResponseRedirect(reverse(self.urlname)), True


def pending(request: HttpRequest) -> SecondFactorStage | None:
    """The sign-in of this browser that waits for a factor; it ends when the account does, or when the password was changed meanwhile."""
    stage = seam.pending(request, KEY)
    if not isinstance(stage, SecondFactorStage):
        return None
    user = stage.login.user
    if not isinstance(user, User) or gate.refusal(user, epoch=stage.state.get("epoch", -1)) is not None:
        seam.abandon(request)
        return None
    return stage


def complete(
    request: HttpRequest, stage: SecondFactorStage, factor: Factor, *, continue_to: str | None, client_id: str | None, **facts: bool
) -> HttpResponseBase:
    """The factor was right: the sign-in goes on, and with it whatever waits at `continue_to`."""
    user = stage.login.user
    assert isinstance(user, User)
    if factor.user_id != user.pk:
        raise PermissionError("a factor of somebody else")
    seam.record(request, user, factor.kind, device=factor.persistent_id, **facts)
    return seam.go_on(request, stage, continue_to=continue_to, client_id=client_id)
