"""Front-channel logout: one hidden frame per client, then on (OpenID Connect Front-Channel Logout 1.0 2, 3)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from idp.oidc.clients.policy import ClientPolicy


def addresses(clients: Iterable[ClientPolicy], *, sid: str) -> list[str]:
    """The logout addresses to load, with `iss` and `sid` (2): a registered query is kept."""
    found: list[str] = []
    for client in clients:
        uri = client.frontchannel_logout_uri
        if uri:
            found.append(f"{uri}{'&' if '?' in uri else '?'}{urlencode({'iss': settings.IDP.issuer, 'sid': sid})}")
    return found


def page(request: HttpRequest, frames: list[str], *, then: str) -> HttpResponse:
    """Load the frames, then go to `then`; with JavaScript off a refresh does it. The policy allows exactly these frames."""
    response = render(request, "oidc/logout_frames.html", {"frames": frames, "then": then})
    origins = sorted({"{0.scheme}://{0.netloc}".format(urlsplit(frame)) for frame in frames})
    if origins:
        response._csp_update = {"frame-src": origins}  # type: ignore[attr-defined]
    response.headers["Cache-Control"] = "no-store"
    return response
