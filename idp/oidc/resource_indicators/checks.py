"""Resource indicators become the audience."""

from __future__ import annotations

from django.conf import settings

from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError


def registered(client: ClientPolicy, requested: tuple[str, ...]) -> tuple[str, ...]:
    """The requested resources, each registered for the client. Raises OAuthError (invalid_target, RFC 8707 2)."""
    if not client.resources.issuperset(requested):
        raise OAuthError(refusals.RESOURCE_INVALID)
    return tuple(dict.fromkeys(requested))


def audience(client: ClientPolicy, *, granted: tuple[str, ...], requested: tuple[str, ...], openid: bool = False) -> tuple[str, ...]:
    """The `aud` of an access token.

    Named resources: exactly these, out of the granted ones (RFC 8707 2.2). None named: all granted ones, and the provider
    itself when `openid` was granted (userinfo is its resource) or when nothing else is left (RFC 9068 3).
    """
    if requested:
        if not set(granted).issuperset(requested):
            raise OAuthError(refusals.RESOURCE_INVALID)
        return tuple(dict.fromkeys(requested))
    if openid or not granted:
        return (*granted, settings.IDP.issuer)
    return granted
