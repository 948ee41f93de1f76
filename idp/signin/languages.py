"""Which language a page speaks: what the person chose or the app asked for in this request, then the cookie, then the browser's list."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from idp.interactions import paused

if TYPE_CHECKING:
    from django.http import HttpResponse

CHOSEN = "language"  # an outcome of the paused request
PAGES = ("/login", "/signup", "/password/", "/consent", "/authorize/resume")


class LanguageMiddleware(LocaleMiddleware):
    """`ui_locales` of the paused request (OpenID Connect Core 3.1.2.1) before cookie and Accept-Language; the menu of the page before all."""

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language for the rest of the request."""
        wanted = wanted_by_interaction(request)
        if not wanted:
            super().process_request(request)
            return
        translation.activate(wanted)
        request.LANGUAGE_CODE = translation.get_language() or wanted


def wanted_by_interaction(request: HttpRequest) -> str:
    """The first language of the paused request that we speak, or an empty text."""
    # Only pages: what a protocol endpoint got is read by its own parser, and by nobody before.
    if not request.path.startswith(PAGES):
        return ""
    interaction = paused.load(request)
    if interaction is None:
        return ""
    for code in (interaction.outcomes.get(CHOSEN, ""), *interaction.ui_locales):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return ""


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """`/language`: keeps the choice in a cookie, and with the paused request to which the person returns."""
    code = request.POST.get("language", "")
    if code and translation.check_for_language(code):
        back = parse_qs(urlsplit(request.POST.get("next", "")[:2048]).query).get("interaction", [""])[0]
        try:
            paused.find(request, back).record(**{CHOSEN: code})
        except paused.Unusable:
            pass
    return set_language(request)
