"""GET and POST /logout, POST /logout/confirm, GET /logout/done."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from idp import sessions
from idp.federation import sign_out
from idp.interactions.middleware import form_target
from idp.oidc.authorization import error_page
from idp.oidc.authorization.dispatch import card
from idp.oidc.border import form
from idp.oidc.client_sessions import session_state
from idp.oidc.clients import cache
from idp.oidc.explain.record import record
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from . import front_channel
from .end import end_session
from .request import LogoutRequest, parse

_SALT = "idp.oidc.logout.confirm"


@csrf_exempt  # RP-Initiated Logout 2: POST comes from apps; without a fitting hint it only leads to the question
@require_http_methods(["GET", "HEAD", "POST"])
def end_session_endpoint(request: HttpRequest) -> HttpResponse:
    """RP-Initiated Logout 2: at once when the hint fits the session, else ask."""
    encoded = request.META.get("QUERY_STRING", "")
    pairs: list[tuple[str, str]] = []
    try:
        if request.method == "POST":
            if request.content_type not in ("application/x-www-form-urlencoded", "text/plain", ""):
                raise OAuthError(refusals.CONTENT_TYPE_UNSUPPORTED)
            encoded = _ascii(request.body)
        pairs = form.pairs(encoded)
        asked = parse(pairs)
    except OAuthError as error:
        reference = record(error, endpoint="logout", arrived=dict(pairs))
        return error_page.show(request, error, reference=reference)
    session = sessions.current(request)
    if session is None:
        # 2: already signed out; a proved app still gets its browser back. A sign-in that is under way ends too (hostile case MF-06).
        if not request.session.is_empty():
            end_session(request)
        return _leave(request, asked.redirect_uri, asked.state, [])
    if asked.speaks_of(session):
        return _end(request, asked.redirect_uri, asked.state, client_id=asked.client.client_id if asked.client else None)
    return _ask(request, asked)


def _ascii(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise OAuthError(refusals.REQUEST_MALFORMED) from None


def _ask(request: HttpRequest, asked: LogoutRequest) -> HttpResponse:
    # Hostile case LO-03: a hint about somebody else (or none) never signs this person out silently.
    kept = {"redirect_uri": asked.redirect_uri, "state": asked.state, "client_id": asked.client.client_id if asked.client else None}
    context: dict[str, Any] = {
        "client": card(asked.client) if asked.client else None,
        "action": "/logout/confirm",
        "fields": [("kept", signing.dumps(kept, salt=_SALT, compress=True))],
        "person": str(request.user),
    }
    response = render(request, "oidc/logout_confirm.html", context)
    if asked.redirect_uri is not None:
        response._csp_update = {"form-action": [form_target(asked.redirect_uri)]}  # type: ignore[attr-defined]
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """The person's own decision, protected against other sites; what was asked comes back signed."""
    if request.method != "POST":
        return HttpResponseRedirect("/logout")  # a reloaded or bookmarked address asks again
    kept: dict[str, Any] = {}
    try:
        kept = signing.loads(request.POST.get("kept", ""), salt=_SALT, max_age=3600)
    except signing.BadSignature:
        kept = {}  # too old or not ours: sign out, go nowhere
    client = cache.get(kept["client_id"]) if kept.get("client_id") else None
    redirect_uri = kept.get("redirect_uri")
    if client is None or redirect_uri not in client.post_logout_redirect_uris:
        redirect_uri = None
    return _end(request, redirect_uri, kept.get("state"), client_id=client.client_id if client else None)


def _end(request: HttpRequest, redirect_uri: str | None, state: str | None, *, client_id: str | None) -> HttpResponse:
    """Sign out here, and where the person came from if that is wanted; then on to the app."""
    upstream = sign_out.address(request, then=_destination(redirect_uri, state))
    frames = end_session(request, client_id=client_id)
    return _leave(request, redirect_uri, state, frames, upstream=upstream)


def _destination(redirect_uri: str | None, state: str | None) -> str:
    if redirect_uri is not None and state is not None:
        # 3: state comes back exactly as it was sent.
        redirect_uri += f"{'&' if '?' in redirect_uri else '?'}state={quote(state, safe='')}"
    return redirect_uri or "/logout/done"


def _leave(
    request: HttpRequest, redirect_uri: str | None, state: str | None, frames: list[str], *, upstream: str | None = None
) -> HttpResponse:
    then = upstream or _destination(redirect_uri, state)
    # A page of its own where a form was sent: browsers hold every later redirect against the form's Content-Security-Policy.
    if frames or upstream:
        response = front_channel.page(request, frames, then=then)
    else:
        response = HttpResponse(status=303, headers={"Location": then, "Cache-Control": "no-store"})
    session_state.forget(response)
    return response


@require_safe
def from_upstream(request: HttpRequest) -> HttpResponse:
    """`/logout/upstream`: back from the provider where the person was signed out as well; our own signature says where to."""
    return HttpResponse(
        status=303, headers={"Location": sign_out.returned(request.GET.get("state", "")) or "/logout/done", "Cache-Control": "no-store"}
    )


@require_safe
def done(request: HttpRequest) -> HttpResponse:
    """The page after signing out."""
    return render(request, "oidc/logged_out.html", {"title": _("You are signed out")})


@require_safe
def check_session(request: HttpRequest) -> HttpResponse:
    """Session Management 3.2: the page that relying parties frame to ask whether the session is still the same."""
    response = render(request, "oidc/check_session.html", {"cookie": session_state.cookie_name()})
    # Made to be framed, by any client; it shows nothing and answers only messages.
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    response.frameable = True  # type: ignore[attr-defined]
    return response
