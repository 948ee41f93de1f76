"""The published key set."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from idp.oidc.discovery.documents import public_document

from .ring import ring


@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    """RFC 7517 5: public keys only, cacheable."""
    current = ring()
    return public_document(
        request, current.jwks, etag=current.etag, content_type="application/jwk-set+json", seconds=settings.IDP.jwks_cache_seconds
    )
