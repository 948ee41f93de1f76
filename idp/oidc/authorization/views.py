"""GET and POST /authorize, GET /authorize/resume: HTTP in and out."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from idp.interactions import browser, paused
from idp.interactions.paused import Interaction
from idp.kernel.clock import now
from idp.oidc.border import form
from idp.oidc.border.refused import described
from idp.oidc.client_sessions import participants, session_state
from idp.oidc.clients import cache
from idp.oidc.dot.views import AuthorizationEngineView
from idp.oidc.explain.record import record
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.request import sources
from idp.oidc.request.authorization_request import AuthorizationRequest, RawRequest, Target, target
from idp.oidc.request.checks import check

from . import error_page, issue
from .dispatch import Answer, AskPerson, dispatch
from .respond import to_app

LONGEST_QUERY = 6000


# OIDC Core 3.1.2.1: POST is an authorization request like GET, from any site; it never counts as consent (hostile case AR-09).
@method_decorator(csrf_exempt, name="dispatch")
class AuthorizationView(AuthorizationEngineView):
    """OIDC Core 3.1.2.1: the authorization request, by GET or POST."""

    http_method_names: ClassVar[tuple[str, ...]] = ("get", "post")

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._begin(request, request.META.get("QUERY_STRING", ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            return self._page(request, OAuthError(refusals.CONTENT_TYPE_UNSUPPORTED), RawRequest({}))
        try:
            encoded = request.body.decode("ascii")
        except UnicodeDecodeError:
            return self._page(request, OAuthError(refusals.REQUEST_MALFORMED), RawRequest({}))
        return self._begin(request, encoded)

    def http_method_not_allowed(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self._page(request, OAuthError(refusals.METHOD_NOT_ALLOWED, headers={"Allow": "GET, POST"}), RawRequest({}))

    def _begin(self, request: HttpRequest, encoded: str) -> HttpResponse:
        raw = RawRequest({})
        try:
            raw = RawRequest.of_pairs(form.pairs(encoded))
            try:
                raw = sources.resolve(raw)
            except OAuthError as error:
                # What is outside of a request object that cannot be used says where its error may go, if anything does.
                return self._refused(request, error, raw, target(raw))
            where = target(raw)
        except OAuthError as error:
            return self._page(request, error, raw)
        return self._go_on(request, raw, where, None)

    def _go_on(self, request: HttpRequest, raw: RawRequest, where: Target, interaction: Interaction | None) -> HttpResponse:
        try:
            wanted = check(raw, where)
        except OAuthError as error:
            if interaction is not None:
                interaction.finish()
            return self._refused(request, error, raw, where)
        try:
            if request.method == "POST" and browser.known(request) is None and len(urlencode(raw.parameters)) < LONGEST_QUERY:
                # A form from another site brings no SameSite cookies; the same request by GET does, and finds the person signed in.
                return HttpResponseRedirect(authorize_url(raw), status=303)
            step = dispatch(request, wanted, interaction, now=now())
            if isinstance(step, AskPerson):
                response: HttpResponse = HttpResponseRedirect(step.url, status=303 if request.method == "POST" else 302)
                browser.remember(request, response)
                return response
            if interaction is not None and not interaction.finish():
                return HttpResponseRedirect(authorize_url(raw))  # answered meanwhile in another tab: the same request, anew
            return self._answer(request, wanted, step)
        except OAuthError as error:
            if interaction is not None:
                interaction.finish()
            return self._to_app(request, error, raw, where)

    def _answer(self, request: HttpRequest, wanted: AuthorizationRequest, answer: Answer) -> HttpResponse:
        client, moment, sid = wanted.client, now(), answer.grant.authentication.sid
        members = self.core().authorization(lambda: issue.members(wanted, answer.grant, answer.user, now=moment), wanted.response_type)
        participants.remember(sid=sid, client=client, user_id=answer.user.pk, moment=moment)
        if not client.classic or "openid" not in wanted.scopes:
            return to_app(request, wanted.target, members)
        # Session Management 2: classic clients may watch the session.
        members["session_state"] = session_state.member(client_id=client.client_id, redirect_uri=wanted.target.redirect_uri, sid=sid)
        response = to_app(request, wanted.target, members)
        session_state.remember(request, response, sid)
        return response

    def _refused(self, request: HttpRequest, error: OAuthError, raw: RawRequest, where: Target) -> HttpResponse:
        """A request that breaks a rule: to the app, unless nobody vouches for the app and nobody is signed in.

        RFC 9700 4.11.2 (hostile case RU-21): else whoever registers a client by themselves has a redirector at our address. The person
        sees where the app is and decides; `prompt=none` has no person to ask and is the exception that the clause names.
        """
        asked_silently = raw.parameters.get("prompt") == "none"
        if where.client.verified or asked_silently or where.response_mode == "form_post" or request.user.is_authenticated:
            return self._to_app(request, error, raw, where)
        reference = record(error, endpoint="authorize", arrived=raw.parameters)
        onward = to_app(request, where, _members(error, reference)).headers["Location"]
        return error_page.show(request, error, reference=reference, client=where.client, onward=onward)

    def _to_app(self, request: HttpRequest, error: OAuthError, raw: RawRequest, where: Target) -> HttpResponse:
        reference = record(error, endpoint="authorize", arrived=raw.parameters)
        return to_app(request, where, _members(error, reference))

    def _page(self, request: HttpRequest, error: OAuthError, raw: RawRequest) -> HttpResponse:
        reference = record(error, endpoint="authorize", arrived=raw.parameters)
        client = cache.get(raw.parameters.get("client_id", "")) if "client_id" not in raw.duplicates else None
        return error_page.show(request, error, reference=reference, client=client)


class ResumeView(AuthorizationView):
    """Where every step returns to: the stored request decides, nothing in the URL but its id."""

    http_method_names: ClassVar[tuple[str, ...]] = ("get",)

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            interaction = paused.find(request, request.GET.get("interaction", ""))
        except paused.Expired as expired:
            # Never a dead end: too old or already answered, the original request simply starts again.
            return HttpResponseRedirect(authorize_url(RawRequest.of_stored(expired.parameters)))
        except paused.ForeignBrowser:
            return self._page(request, OAuthError(refusals.INTERACTION_FOREIGN), RawRequest({}))
        except paused.Unusable:
            return self._page(request, OAuthError(refusals.INTERACTION_GONE), RawRequest({}))
        raw = RawRequest.of_stored(interaction.parameters)
        try:
            where = target(raw)  # again: the client may have been switched off meanwhile (hostile case AR-21)
        except OAuthError as error:
            return self._page(request, error, raw)
        return self._go_on(request, raw, where, interaction)


def _members(error: OAuthError, reference: str) -> dict[str, str]:
    """RFC 6749 4.1.2.1."""
    return {"error": error.refusal.error, "error_description": described(error, reference)}


def authorize_url(raw: RawRequest) -> str:
    """The request by GET, at its own endpoint."""
    members = [*raw.parameters.items(), *(("resource", value) for value in raw.resources)]
    return f"/authorize?{urlencode(members, quote_via=quote)}"
