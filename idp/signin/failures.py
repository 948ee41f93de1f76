"""A form that could not be accepted: start again, with the original request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse

from .continuation import Continuation
from .pages import page

if TYPE_CHECKING:
    from django.utils.functional import Promise

# Pages of ours whose form can be opened again by GET; anything else restarts at the front door.
RESTARTS = (
    "/login",
    "/login/second-factor",
    "/login/enrol",
    "/login/lost-factor",
    "/account/security",
    "/account/profile",
    "/account/apps",
    "/account/sessions",
    "/account/activity/not-me",
    "/signup",
    "/signup/verify",
    "/password/forgot",
    "/password/reset",
    "/account/password",
    "/consent",
    "/logout",
    "/login/link",
    "/account/linked",
)


def csrf_failure(request: HttpRequest, reason: str | Promise = "") -> HttpResponse:
    """`settings.CSRF_FAILURE_VIEW`: an expired page, a repeated submission, cookies off, or a forged form: nothing was done (403).

    The way on is a link, which the person follows: a forged form must not be repeated by the answer to it.
    """
    continuation = Continuation(request)
    path = request.path.removesuffix("/resend")
    path = path if path in RESTARTS else "/login"
    return page(request, "form_failed", continuation=continuation, status=403, restart_url=continuation.along(path))
