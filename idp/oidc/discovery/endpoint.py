"""GET /.well-known/openid-configuration, /.well-known/oauth-authorization-server and /jwks."""

from __future__ import annotations

from django.conf import settings

from idp.oidc.border.http import HttpIn, HttpOut
from idp.oidc.keys.ring import ring

from . import documents


def openid_configuration(request: HttpIn) -> HttpOut:
    """OpenID Connect Discovery 4."""
    return documents.public(request, documents.openid_configuration())


def authorization_server(request: HttpIn) -> HttpOut:
    """RFC 8414 3."""
    return documents.public(request, documents.authorization_server())


def jwks(request: HttpIn) -> HttpOut:
    """RFC 7517 5: public keys only, cacheable."""
    keys = ring()
    return documents.public(request, documents.Document(keys.jwks, keys.etag), seconds=settings.IDP.jwks_cache_seconds)
