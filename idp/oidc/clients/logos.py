"""Client logos: fetched once through the SSRF-safe client, kept, served from our own origin (OpenID Registration 9.1)."""

from __future__ import annotations

import hashlib

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from idp.kernel import outbound
from idp.oidc.models import Client, ClientLogo

# By what the bytes are, never by what the other side says; no SVG, which can hold scripts.
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def refresh(client: Client) -> None:
    """Fetch the logo of a client whose `logo_uri` is new. One that cannot be had is no reason to refuse the client: its initial is shown."""
    ClientLogo.objects.filter(client=client).delete()
    uri = client.metadata.get("logo_uri")
    if not uri:
        return
    try:
        answer = outbound.fetch(uri)
    except outbound.OutboundError:
        return
    media_type = _kind(answer.body)
    if answer.status == 200 and media_type is not None:
        digest = hashlib.sha256(answer.body).hexdigest()
        ClientLogo.objects.create(client=client, digest=digest, media_type=media_type, content=answer.body)


def _kind(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _KINDS if content.startswith(magic)), None)


@require_safe
def show(request: HttpRequest, digest: str) -> HttpResponse:
    """A logo by the hash of its content: the address changes with the picture, so it may be kept for ever."""
    logo = ClientLogo.objects.filter(digest=digest).first() if len(digest) == 64 and digest.isalnum() else None
    if logo is None:
        raise Http404
    response = HttpResponse(bytes(logo.content), content_type=logo.media_type)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Content-Disposition"] = "inline; filename=logo"
    response._csp_replace = {"default-src": ["'none'"], "img-src": ["'none'"]}  # type: ignore[attr-defined]
    return response
