"""Signing in through another provider: off to it, back from it, and linking what came back to an account that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from idp.accounts.allauth import sign_in_from_upstream
from idp.accounts.authentication import ip_key
from idp.accounts.destinations import is_local_path
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import FederationRefused
from idp.federation import allauth, flow, linking, sign_out, upstreams
from idp.federation.flow import Failed
from idp.federation.linking import Waiting
from idp.federation.models import Challenge
from idp.federation.reach import Unreachable
from idp.interactions import browser
from idp.kernel import clock, limits
from idp.mfa import step_up

from . import invited
from .continuation import Continuation, fields_of
from .pages import allowed_upstreams, page, throttled

if TYPE_CHECKING:
    from idp.federation.flow import Returned
    from idp.federation.upstreams import Upstream
    from idp.interactions.paused import Interaction

IP_LIMIT, IP_SECONDS = 600, 300  # round trips begun or ended from one address
WAITING = "identity_to_link"
LINK_PAGE = "/login/link"


@require_POST
def start(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/federation/NAME/start`: by POST with our token only, so that no other site begins it (hostile cases BR-05, GL-07)."""
    continuation = Continuation(request)
    if continuation.is_lost:
        return HttpResponseRedirect(continuation.url)
    upstream = upstreams.find(name)
    if upstream is None or upstream not in upstreams.offered(allowed_upstreams(continuation)):
        return _failed(request, Failed("off", continue_to=continuation.url, upstream=name))
    return leave(request, continuation, upstream)


def leave(request: HttpRequest, continuation: Continuation, upstream: Upstream, *, login_hint: str = "") -> HttpResponseBase:
    """Off to an upstream. A form is answered with a page that leads there: the upstream may redirect on to wherever it likes, and a
    browser would hold all of that against the form's Content-Security-Policy.
    """
    verdict = limits.hit("federation.start.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    interaction = continuation.interaction
    if not login_hint and interaction is not None:
        login_hint = interaction.login_hint
    user = request.user
    again: User | None = None  # who is to confirm that it is them
    if isinstance(user, User) and (
        (interaction is not None and interaction.reauthenticate) or request.POST.get("again") == "1" or "again" in request.GET
    ):
        again = user
        login_hint = login_hint or user.email or ""
    try:
        url = flow.begin(
            request,
            upstream,
            continue_to=continuation.url,
            client_id=continuation.client_id,
            login_hint=login_hint,
            again=again,
            afresh=again is not None or _wants_prompt(interaction),
        )
    except Unreachable as error:
        return _failed(request, Failed("unreachable", str(error), continue_to=continuation.url, upstream=upstream.name))
    return go(request, continuation, upstream, url)


def _wants_prompt(interaction: Interaction | None) -> bool:
    """Whether the app wants the person to be asked (OpenID Connect Core 3.1.2.1): there, where they may be signed in already."""
    asked = interaction.parameters if interaction is not None else {}
    return "login" in str(asked.get("prompt", "")).split() or str(asked.get("max_age", "")) == "0"


def go(request: HttpRequest, continuation: Continuation, upstream: Upstream, url: str) -> HttpResponseBase:
    """The answer that takes the browser to `url`, an address of the upstream."""
    response: HttpResponseBase
    if request.method == "POST":
        response = page(request, "leaving", continuation=continuation, upstream=upstream, url=url)
        response["Refresh"] = f"0; url={url}"
    else:
        response = HttpResponse(status=302, headers={"Location": url})
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    browser.remember(request, response)
    return response


@require_safe
def callback(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/federation/NAME/callback`: the upstream's answer. What is in it is believed only as far as `flow.finish` goes."""
    verdict = limits.hit("federation.callback.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=Continuation(request), retry_after=verdict.retry_after)
    # RFC 6749 3.1: no parameter more than once; one that is counts as empty, which fits nothing.
    answer = {key: values[0] if len(values) == 1 else "" for key, values in request.GET.lists()}
    try:
        returned = flow.finish(request, name, answer)
        if returned.challenge.purpose == Challenge.Purpose.LINK:
            return _came_to_link(request, returned)
        _refuse_somebody_else(request, returned)
    except Failed as error:
        return _failed(request, error)
    return came_to_sign_in(request, returned)


def _refuse_somebody_else(request: HttpRequest, returned: Returned) -> None:
    """To confirm that it is them, people come back as who they are: nobody new is made, nobody else signed in."""
    again = returned.challenge.user_id
    if again is None:
        return
    link = allauth.link_of(returned.identity.issuer, returned.identity.subject)
    if link is None or link.user.pk != again or request.user.pk != again:
        raise Failed("somebody_else", continue_to=returned.challenge.continue_to, upstream=returned.upstream.name)


def _came_to_link(request: HttpRequest, returned: Returned) -> HttpResponseBase:
    user = returned.challenge.user
    if user is None or not request.user.is_authenticated or request.user.pk != user.pk:
        # Hostile case GL-07: what somebody else began, or before another person signed in, links nothing.
        raise Failed("lost", upstream=returned.upstream.name)
    return _wait(request, returned, user)


def came_to_sign_in(request: HttpRequest, returned: Returned) -> HttpResponseBase:
    """Whoever it is, signed in; or the page that asks what is to become of them."""
    found = linking.decide(returned.upstream, returned.identity, invitation=invited.held_id(request))
    if found.user is None:
        if found.why in ("closed", "uninvited"):
            why = "invited_otherwise" if found.why == "uninvited" and invited.held(request) is not None else found.why
            return _failed(request, Failed(why, continue_to=returned.challenge.continue_to, upstream=returned.upstream.name))
        return _wait(request, returned, found.owner)
    if found.created:
        invited.forget(request)
    return sign_in(request, returned, found.user, created=found.created)


def sign_in(request: HttpRequest, returned: Returned, user: User, *, created: bool) -> HttpResponseBase:
    """The account gate, the second factor and the session, as after a password (hostile cases GL-10, GL-11)."""
    challenge = returned.challenge
    with transaction.atomic():
        response = sign_in_from_upstream(
            request,
            user,
            continue_to=challenge.continue_to or settings.LOGIN_REDIRECT_URL,
            client_id=challenge.client_id,
            signup=created,
            two_factors=returned.identity.two_factors,
            upstream=returned.upstream.name,
        )
        sign_out.keep(request, user, returned.upstream, returned.id_token)
    return response


def _wait(request: HttpRequest, returned: Returned, user: User | None) -> HttpResponseBase:
    challenge = returned.challenge
    held = Waiting(
        identity=returned.identity,
        user=str(user.pk) if user is not None else None,
        continue_to=challenge.continue_to,
        client_id=challenge.client_id,
        since=clock.now(),
    )
    request.session[WAITING] = held.stored()
    return HttpResponseRedirect(LINK_PAGE)


@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest) -> HttpResponseBase:
    """`/login/link`: who proved an account there proves the one here, sees both, and decides. Nothing is linked by itself (GL-07)."""
    held = linking.waiting(request.session.get(WAITING))
    continuation = Continuation(request)
    if held is None:
        request.session.pop(WAITING, None)
        return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL if request.user.is_authenticated else "/login")
    upstream = upstreams.find(held.identity.upstream)
    assert upstream is not None
    if request.method == "POST" and request.POST.get("decision") == "cancel":
        del request.session[WAITING]
        return HttpResponseRedirect(_back_to(held.continue_to) if not request.user.is_authenticated else _onwards(held.continue_to))
    user = request.user
    state = "sign_in"
    if isinstance(user, User):
        state = "confirm" if linking.may_link(held, user) else "other"
        if state == "confirm" and not step_up.is_fresh(request, user):
            return HttpResponseRedirect(f"/login?{urlencode({'again': '1', 'next': LINK_PAGE})}")
        if state == "confirm" and request.POST.get("decision") == "link":
            return _link(request, held, upstream, user)
    return page(
        request,
        "link",
        continuation=continuation,
        state=state,
        upstream=upstream,
        theirs=held.identity.email or held.identity.profile.get("name") or "",
        known=held.user is not None,
        person=user,
        sign_in_url=f"/login?{urlencode({'next': LINK_PAGE})}",
        other_url=f"/login?{urlencode({'switch': '1', 'next': LINK_PAGE})}",
        sign_up_url=f"/signup?{urlencode({'next': LINK_PAGE})}",
        status=400 if request.method == "POST" else 200,
    )


def _link(request: HttpRequest, held: Waiting, upstream: Upstream, user: User) -> HttpResponseBase:
    del request.session[WAITING]
    try:
        linking.link(upstream, user, held.identity)
    except linking.Taken:
        return _failed(request, Failed("taken", continue_to=held.continue_to, upstream=upstream.name))
    return HttpResponseRedirect(_onwards(held.continue_to))


def _onwards(url: str) -> str:
    return url if is_local_path(url) else settings.LOGIN_REDIRECT_URL


def _back_to(url: str) -> str:
    fields = fields_of(url)
    return f"/login?{urlencode(fields)}" if fields else "/login"


def _failed(request: HttpRequest, error: Failed) -> HttpResponseBase:
    """A page that says what happened and leads on; every other way of signing in is still there."""
    emit(FederationRefused(upstream=error.upstream if upstreams.find(error.upstream) else "", reason=error.reason, detail=_detail(error)))
    if error.reason == "cancelled":
        separator = "&" if fields_of(error.continue_to) else "?"
        return HttpResponseRedirect(f"{_back_to(error.continue_to)}{separator}done=cancelled")
    upstream = upstreams.find(error.upstream)
    label = upstream.label if upstream is not None else ""
    return page(
        request,
        "upstream_failed",
        continuation=Continuation(request),
        text=_sentence(error.reason, label),
        upstream=upstream if error.reason in ("unreachable", "refused") and not request.user.is_authenticated else None,
        retry_fields=fields_of(error.continue_to),
        back_url=_back_to(error.continue_to) if not request.user.is_authenticated else _onwards(error.continue_to),
        status=400,
    )


def _detail(error: Failed) -> str:
    text = str(error)
    return text[:100] if text != error.reason else ""


def _sentence(reason: str, label: str) -> str:
    named = {"provider": label or _("The other provider")}
    return {
        "lost": _("This sign-in was begun in another browser or window, is finished already, or waited too long. Start again."),
        "off": _("Signing in this way is switched off at the moment."),
        "unreachable": _("%(provider)s does not answer at the moment. Try again in a minute, or sign in another way.") % named,
        "refused": _("%(provider)s sent an answer that we cannot accept, so nobody was signed in. Try again, or sign in another way.")
        % named,
        "stale": _("%(provider)s did not ask you to sign in again, which is needed here. Try again, or confirm it another way.") % named,
        "somebody_else": _("This is not the account at %(provider)s that belongs to you here. Nothing was changed.") % named,
        "closed": _("There is no account here that belongs to you at %(provider)s, and new accounts cannot be created.") % named,
        "uninvited": _(
            "You need an invitation to create an account here. A link works once and not for ever: ask whoever sent yours for a new one."
        ),
        "invited_otherwise": _("Your invitation is for another address. Use the one to which it was sent."),
        "taken": _("This account at %(provider)s already signs in somebody else here. Nothing was linked.") % named,
    }[reason]
