"""The request that needs no page: somebody is signed in, has agreed before, and the app gets its code by the redirect."""

from __future__ import annotations

from django.http import parse_cookie

from idp import sessions
from idp.kernel.clock import now
from idp.oidc.border import form
from idp.oidc.border.http import HttpIn, HttpOut
from idp.oidc.client_sessions import participants, session_state
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.request.authorization_request import AuthorizationRequest, RawRequest, target
from idp.oidc.request.checks import check

from . import issue
from .dispatch import unasked
from .respond import NEVER_KEPT, location


def respond(request: HttpIn) -> HttpOut | None:
    """The answer of `AuthorizationView` to such a request, or None: whatever else it is, the view says it.

    Nothing is written before it is certain that the answer is given here.
    """
    if request.method != "GET" or not request.cookies or not request.cookies.isascii():
        return None
    wanted = _wanted(request)
    # form_post is a page.
    if wanted is None or wanted.target.response_mode == "form_post":
        return None
    cookies, moment = parse_cookie(request.cookies), now()
    session = sessions.of_cookies(cookies)
    answer = None if session is None else unasked(wanted, session, now=moment)
    if answer is None:
        return None
    client, sid = wanted.client, answer.grant.authentication.sid
    watched = client.classic and "openid" in wanted.scopes
    if watched and not session_state.is_known(cookies, sid):
        return None  # the cookie has to be set first
    members = issue.members(wanted, answer.grant, answer.user, now=moment)
    participants.remember(sid=sid, client=client, user_id=answer.user.pk, moment=moment)
    if watched:
        members["session_state"] = session_state.member(client_id=client.client_id, redirect_uri=wanted.target.redirect_uri, sid=sid)
    return HttpOut(302, headers={"Location": location(wanted.target, members), **NEVER_KEPT})


def _wanted(request: HttpIn) -> AuthorizationRequest | None:
    try:
        raw = RawRequest.of_pairs(form.pairs(request.query))
        if "request" in raw.parameters or "request_uri" in raw.parameters:
            return None  # may have to be fetched
        return check(raw, target(raw))
    except OAuthError:
        return None
