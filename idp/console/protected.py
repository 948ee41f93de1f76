"""Pages behind a short re-authentication window: who they are must have been proved minutes ago (hostile case BR-06)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from idp.mfa import step_up

if TYPE_CHECKING:
    from idp.accounts.models import User

View = Callable[..., HttpResponse]


def protected(view: View) -> View:
    """Lead to "confirm it's you" first, and back; each protected action that succeeds renews the window (`step_up.renew`)."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not step_up.is_fresh(request, cast("User", request.user)):
            return prove_first(request)
        response = view(request, *args, **kwargs)
        if request.method == "POST" and response.status_code < 400 and request.user.is_authenticated:
            step_up.renew(request)
        return response

    return cast("View", login_required(guarded))


def prove_first(request: HttpRequest) -> HttpResponse:
    """The sign-in page, which leads back; what a form held is not kept."""
    return HttpResponseRedirect(f"/login?{urlencode({'again': '1', 'next': request.path})}")
