"""A form that could not be accepted: start again, with the original request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import REASON_NO_CSRF_COOKIE

from idp.accounts.destinations import is_local_path

from .continuation import Continuation
from .pages import page

if TYPE_CHECKING:
    from django.utils.functional import Promise

# Pages of ours whose form can be opened again by GET; anything else restarts at the front door.
RESTARTS = (
    "/login",
    "/login/code",
    "/login/second-factor",
    "/login/passkey-offer",
    "/signup/passkey",
    "/login/enrol",
    "/login/lost-factor",
    "/login/terms",
    "/account/security",
    "/account/profile",
    "/account/address/email",
    "/account/address/phone",
    "/account/address/undo",
    "/account/apps",
    "/account/sessions",
    "/account/activity/not-me",
    "/account/data",
    "/account/delete",
    "/account/keep",
    "/signup",
    "/signup/verify",
    "/password/forgot",
    "/password/forgot/sent",
    "/password/reset",
    "/account/password",
    "/consent",
    "/logout",
    "/login/link",
    "/account/linked",
)
SIGNED_IN_BY = ("/login", "/login/code", "/login/second-factor", "/signup", "/signup/verify")


def csrf_failure(request: HttpRequest, reason: str | Promise = "") -> HttpResponse:
    """`settings.CSRF_FAILURE_VIEW`: an expired page, a repeated submission, cookies off, or a forged form: nothing was done.

    A form that a page of ours sent is only old, because another tab signed in meanwhile: it opens again, with the app's request, which for
    somebody who is signed in by now means that it goes on. Anything else is a 403, whose way on is a link that the person follows: a forged
    form must not be repeated by the answer to it.
    """
    continuation = Continuation(request)
    path = request.path if request.path in RESTARTS else request.path.removesuffix("/resend").removesuffix("/passkey")
    if reason != REASON_NO_CSRF_COOKIE and _is_ours(request):
        back = continuation.along(path, done="stale") if path in RESTARTS else _page_before(request)
        if path in SIGNED_IN_BY and continuation.interaction_id and request.user.is_authenticated:
            back = continuation.url  # what this form wanted has happened in another tab: the dispatcher decides what is left
        response = HttpResponseRedirect(back or continuation.along("/login"))
        response.status_code = 303  # RFC 9110 15.4.4: to be fetched with GET
        return response
    path = path if path in RESTARTS else "/login"
    return page(request, "form_failed", continuation=continuation, status=403, restart_url=continuation.along(path))


def _is_ours(request: HttpRequest) -> bool:
    # Browsers send Origin with every POST, and no page can choose it (Fetch 3.2.1).
    return request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"


def _page_before(request: HttpRequest) -> str:
    parts = urlsplit(request.headers.get("Referer", ""))
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    same = f"{parts.scheme}://{parts.netloc}" == request.headers.get("Origin")
    return path if same and is_local_path(path) else ""
