"""Cross-origin calls, allowed per client (Fetch; RFC 9700 2.6: never at the authorization endpoint)."""

from __future__ import annotations

from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy

from .http import HttpIn, HttpOut


def allow(answer: HttpOut, origin: str | None, client: ClientPolicy | None) -> HttpOut:
    """Let the calling page read the answer when its origin is registered: for the client if known, else for any (an error)."""
    if origin is None:
        return answer
    answer.headers["Vary"] = "Origin"
    if origin in (cache.all_origins() if client is None else client.origins):
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, X-Request-ID"
    return answer


def preflight(request: HttpIn, methods: str) -> HttpOut:
    """The answer to OPTIONS; a preflight names no client, so any registered origin passes it and the call itself decides."""
    answer = allow(HttpOut(204, headers={"Allow": f"{methods}, OPTIONS"}), request.origin, None)
    if "Access-Control-Allow-Origin" in answer.headers:
        answer.headers |= {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-ID",
            "Access-Control-Max-Age": "600",
        }
    return answer
