"""How strongly a person has authenticated: acr and amr from what happened (OIDC Core 2, RFC 8176)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest

ONE_FACTOR = "urn:kairos:acr:1fa"
# Strongest first, as discovery publishes them.
SUPPORTED = (ONE_FACTOR,)


def assess(request: HttpRequest) -> tuple[str, list[str]]:
    """The acr and amr of the authentication that has just happened in this browser.

    One proof exists so far: the password.
    """
    return ONE_FACTOR, ["pwd"]
