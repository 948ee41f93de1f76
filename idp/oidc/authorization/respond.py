"""The way back to the app: query, fragment or form_post, always with `iss` (RFC 9207)."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from idp.interactions.middleware import form_target
from idp.oidc.request.authorization_request import Target

# RFC 9700 4.2.4, 4.3.1: a code must not stay in caches or leak by Referer.
NEVER_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def to_app(request: HttpRequest, target: Target, members: dict[str, str]) -> HttpResponse:
    """Send `members`, the request's `state` and our `iss` to the redirect URI in the request's response mode."""
    if target.response_mode == "form_post":
        return _form_post(request, target.redirect_uri, _complete(target, members))
    response = HttpResponse(status=303 if request.method == "POST" else 302)
    # Set directly: the URI is an allowed one, and Django would refuse the private schemes of native apps.
    response.headers["Location"] = location(target, members)
    return _never_kept(response)


def location(target: Target, members: dict[str, str]) -> str:
    """The redirect that carries `members`, the request's `state` and our `iss`, in response mode query or fragment."""
    separator = "#" if target.response_mode == "fragment" else "&" if "?" in target.redirect_uri else "?"
    return f"{target.redirect_uri}{separator}{urlencode(_complete(target, members), quote_via=quote)}"


def _complete(target: Target, members: dict[str, str]) -> dict[str, str]:
    state = {} if target.state is None else {"state": target.state}
    return {**members, **state, "iss": settings.IDP.issuer}


def _form_post(request: HttpRequest, redirect_uri: str, members: dict[str, str]) -> HttpResponse:
    # OAuth 2.0 Form Post Response Mode 2.
    response = render(request, "oidc/form_post.html", {"action": redirect_uri, "fields": list(members.items())})
    response._csp_update = {"form-action": [form_target(redirect_uri)]}  # type: ignore[attr-defined]
    return _never_kept(response)


def _never_kept(response: HttpResponse) -> HttpResponse:
    for name, value in NEVER_KEPT.items():
        response.headers[name] = value
    return response
