"""What every page knows about the installation it belongs to: name, links, languages, colour, corners, logo."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import get_language_info
from django.views.decorators.http import require_safe

from idp.kernel import colours

if TYPE_CHECKING:
    from django.http import HttpRequest

SHIPPED = ("#3d4fd1", 10)  # what kairos.css holds itself
SHEET = re.compile(r"([0-9a-f]{6})-([0-9]{1,2})", re.ASCII)
LOGO_KINDS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"<svg": "image/svg+xml",
    b"<?xm": "image/svg+xml",
}
LARGEST_LOGO = 100 * 1024


def branding(request: HttpRequest) -> dict[str, object]:
    """Context of every template: brand_name, privacy_url, terms_url, help_url, languages, brand_stylesheet, brand_logo."""
    return {
        "brand_name": settings.IDP.brand_name,
        "privacy_url": settings.IDP.privacy_url,
        "terms_url": settings.IDP.terms_url,
        "help_url": settings.IDP.help_url,
        "languages": [(code, str(get_language_info(code)["name_local"]).capitalize()) for code, _ in settings.LANGUAGES],
        "brand_stylesheet": colours.sheet_path(settings.IDP.brand_colour, settings.IDP.brand_radius, unless=SHIPPED),
        "brand_logo": "/brand/logo" if settings.IDP.brand_logo_file else "",
    }


@require_safe
def stylesheet(_request: HttpRequest, name: str) -> HttpResponse:
    """`/brand/3d4fd1-10.css`: a colour and corners. The address says all of it, so nothing is looked up and it may be kept for ever."""
    match = SHEET.fullmatch(name)
    if match is None or int(match[2]) > colours.MOST_RADIUS:
        raise Http404
    try:
        colour = colours.checked(match[1])
    except colours.Unreadable:
        raise Http404 from None
    response = HttpResponse(colours.stylesheet(colour, int(match[2])), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@require_safe
def logo(_request: HttpRequest) -> HttpResponse:
    """`/brand/logo`: the picture of the deployment (`IDP_BRAND_LOGO_FILE`)."""
    if settings.IDP.brand_logo_file is None:
        raise Http404
    kind, content = _logo(settings.IDP.brand_logo_file)
    response = HttpResponse(content, content_type=kind)
    response["Cache-Control"] = "public, max-age=3600"
    # A picture, also when it is opened by itself: no script in an SVG runs.
    response._csp_replace = {"default-src": ["'none'"], "script-src": ["'none'"], "style-src": ["'unsafe-inline'"]}  # type: ignore[attr-defined]
    return response


@cache
def _logo(file: Path) -> tuple[str, bytes]:
    content = file.read_bytes() if file.stat().st_size <= LARGEST_LOGO else b""
    kind = next((kind for magic, kind in LOGO_KINDS.items() if content.lstrip()[:4].startswith(magic)), None)
    if kind is None:
        raise Http404
    return kind, content
