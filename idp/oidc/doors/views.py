"""Django views of the back-channel endpoints and public documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from idp.oidc.border import refused
from idp.oidc.border.http import HttpIn, HttpOut
from idp.oidc.border.safely import respond_safely
from idp.oidc.discovery import endpoint as discovery
from idp.oidc.dot import views as engine
from idp.oidc.introspection import endpoint as introspection
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.registration import endpoint as registration
from idp.oidc.revocation import endpoint as revocation
from idp.oidc.token import endpoint as token
from idp.oidc.userinfo import endpoint as userinfo


def _through(respond: Callable[[HttpIn], HttpOut], request: HttpRequest) -> HttpResponse:
    try:
        arrived = HttpIn.of_django(request)
    except (RequestDataTooBig, UnreadablePostError):
        error = OAuthError(refusals.REQUEST_TOO_LARGE)
        return refused.as_json(error, endpoint=request.path.strip("/"), arrived={}).as_django()
    return respond_safely(respond, arrived).as_django()


# Back-channel endpoints authenticate by what is in the request, never by a cookie: no CSRF.
@method_decorator(csrf_exempt, name="dispatch")
class TokenView(engine.EngineMixin, engine.TokenView):
    """RFC 6749 3.2, dispatched by the engine's server."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _through(lambda arrived: token.respond(arrived, issue=self.core().token), request)


@method_decorator(csrf_exempt, name="dispatch")
class RevocationView(engine.EngineMixin, engine.RevokeTokenView):
    """RFC 7009 2."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _through(revocation.respond, request)


@method_decorator(csrf_exempt, name="dispatch")
class UserinfoView(engine.EngineMixin, engine.UserInfoView):
    """OpenID Connect Core 5.3."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _through(userinfo.respond, request)


@method_decorator(csrf_exempt, name="dispatch")
class IntrospectionView(View):
    """RFC 7662 2."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _through(introspection.respond, request)


@csrf_exempt
def register(request: HttpRequest) -> HttpResponse:
    """RFC 7591 3."""
    return _through(registration.register, request)


@csrf_exempt
def manage_registration(request: HttpRequest, client_id: str) -> HttpResponse:
    """RFC 7592 2."""
    return _through(lambda arrived: registration.manage(arrived, client_id), request)


@csrf_exempt
def openid_configuration(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Discovery 4."""
    return _through(discovery.openid_configuration, request)


@csrf_exempt
def authorization_server(request: HttpRequest) -> HttpResponse:
    """RFC 8414 3."""
    return _through(discovery.authorization_server, request)


@csrf_exempt
def jwks(request: HttpRequest) -> HttpResponse:
    """RFC 7517 5."""
    return _through(discovery.jwks, request)
