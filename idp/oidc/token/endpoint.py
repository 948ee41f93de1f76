"""POST /token."""

from __future__ import annotations

from collections.abc import Callable

from idp.oidc.border import cors, refused
from idp.oidc.border.form import back_channel
from idp.oidc.border.http import HttpIn, HttpOut, json_answer
from idp.oidc.client_auth.presented import BackChannelRequest
from idp.oidc.protocol.errors import OAuthError

from . import pipeline
from .pipeline import Issued


def respond(request: HttpIn, *, issue: Callable[[BackChannelRequest], Issued] = pipeline.answer) -> HttpOut:
    """RFC 6749 3.2: the answer to a token request, success or refusal. `issue` is the pipeline, or a door that leads to it."""
    if request.method == "OPTIONS":
        return cors.preflight(request, "POST")
    arrived: dict[str, str] = {}
    try:
        parsed = back_channel(request, endpoint="token")
        arrived = dict(parsed.form)
        issued = issue(parsed)
    except OAuthError as error:
        return cors.allow(refused.as_json(error, endpoint="token", arrived=arrived), request.origin, None)
    return cors.allow(json_answer(issued.tokens.as_json()), request.origin, issued.client)
