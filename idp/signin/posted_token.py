"""An ID token of another provider, posted by a page of this site: the same sign-in as by the button, answered as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from idp.events import emit
from idp.events.catalogue import FederationRefused
from idp.federation import id_token, posted
from idp.federation.flow import Returned
from idp.federation.models import Challenge
from idp.federation.reach import Unreachable
from idp.interactions import browser

from .continuation import Continuation
from .pages import allowed_upstreams
from .upstream import came_to_sign_in

if TYPE_CHECKING:
    from idp.federation.upstreams import Upstream


@csrf_exempt  # makes nothing but a random number, which counts in this browser only
@require_POST
def nonce(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/federation/NAME/nonce`: what to ask the provider to put into the token. With `client_id`, for that app; else for this browser."""
    upstream = posted.find(name)
    if upstream is None:
        return _error("unknown_provider", 404)
    verdict = posted.within_limits()
    if not verdict.allowed:
        return _later(verdict.retry_after)
    client_id = request.POST.get("client_id") or None
    if client_id is not None and (len(client_id) > 255 or not client_id.isascii() or not client_id.isprintable()):
        return _error("invalid_request", 400)
    fresh = posted.nonce(request, upstream, client_id=client_id)
    answer = _json({"nonce": fresh, "expires_in": int(posted.LIFE.total_seconds())})
    browser.remember(request, answer)
    return answer


@csrf_exempt  # the nonce in the token is of this browser: what another site posts is refused (hostile case GL-07)
@sensitive_post_parameters("credential", "id_token")
@require_POST
def token(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/federation/NAME/token` with `credential` (as Google's script calls it) or `id_token`, and `interaction` or `next`.

    Signed in, or on the way to it: `{"continue": path}`, where the browser goes next (perhaps to the second step).
    """
    upstream = posted.find(name)
    if upstream is None:
        return _error("unknown_provider", 404)
    if request.headers.get("Origin") not in (None, settings.IDP.issuer, f"{request.scheme}://{request.get_host()}"):
        return _error("wrong_origin", 403)
    verdict = posted.within_limits()
    if not verdict.allowed:
        return _later(verdict.retry_after)
    continuation = Continuation(request)
    allowed = allowed_upstreams(continuation)
    if continuation.is_lost or (allowed is not None and name not in allowed):
        return _error("invalid_request", 400)
    return _signed_in(request, continuation, upstream, request.POST.get("credential") or request.POST.get("id_token") or "")


def _signed_in(request: HttpRequest, continuation: Continuation, upstream: Upstream, given: str) -> HttpResponseBase:
    own = browser.known(request)
    try:
        if own is None:
            raise id_token.Refused("no browser")
        who = posted.accept(given, upstream, of_browser=own)
    except id_token.Refused as error:
        emit(FederationRefused(upstream=upstream.name, reason="refused", detail=str(error)[:100]))
        return _error("invalid_token", 401)
    except Unreachable as error:
        emit(FederationRefused(upstream=upstream.name, reason="unreachable", detail=str(error)[:100]))
        return _error("temporarily_unavailable", 400)
    asked = Challenge(
        purpose=Challenge.Purpose.SIGN_IN, upstream=upstream.name, continue_to=continuation.url, client_id=continuation.client_id
    )
    page = came_to_sign_in(request, Returned(upstream, who, asked, ""))
    if "Location" not in page:
        return _error("access_denied", 403)
    answer = _json({"continue": page["Location"]})
    answer.cookies = page.cookies
    return answer


def _json(document: dict[str, object], status: int = 200) -> JsonResponse:
    return JsonResponse(document, status=status, headers={"Cache-Control": "no-store"})


def _error(word: str, status: int) -> JsonResponse:
    return _json({"error": word}, status)


def _later(seconds: int) -> JsonResponse:
    answer = _json({"error": "too_many_requests"}, 429)
    answer["Retry-After"] = str(seconds)
    return answer
