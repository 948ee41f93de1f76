"""Lets the forms of a paused request lead to the app that asked, under a Content-Security-Policy that allows nothing else."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse

from .paused import Interaction


def form_target(redirect_uri: str) -> str:
    """The `form-action` source for `redirect_uri`: its origin, or the private scheme of a native app."""
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


class FormActionMiddleware:
    """Chromium applies `form-action` to every redirect that follows a submitted form, so the last one must be allowed too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        interaction: Interaction | None = getattr(request, "_interaction", None)
        if interaction is not None and not hasattr(response, "_csp_update"):
            redirect_uri = interaction.parameters.get("redirect_uri")
            if isinstance(redirect_uri, str):
                response._csp_update = {"form-action": [form_target(redirect_uri)]}  # type: ignore[attr-defined]
        return response
