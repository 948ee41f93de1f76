"""What every page knows about the installation it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import get_language_info

if TYPE_CHECKING:
    from django.http import HttpRequest


def branding(request: HttpRequest) -> dict[str, object]:
    """Context of every template: brand_name, privacy_url, terms_url, help_url, languages (code and its own name for itself)."""
    return {
        "brand_name": settings.IDP.brand_name,
        "privacy_url": settings.IDP.privacy_url,
        "terms_url": settings.IDP.terms_url,
        "help_url": settings.IDP.help_url,
        "languages": [(code, str(get_language_info(code)["name_local"]).capitalize()) for code, _ in settings.LANGUAGES],
    }
