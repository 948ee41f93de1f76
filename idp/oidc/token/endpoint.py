"""POST /token."""

from __future__ import annotations

from idp.oidc.border import cors, refused
from idp.oidc.border.form import back_channel
from idp.oidc.border.http import HttpIn, HttpOut, json_answer
from idp.oidc.protocol.errors import OAuthError

from . import pipeline


def respond(request: HttpIn) -> HttpOut:
    """RFC 6749 3.2: the answer to a token request, success or refusal."""
    if request.method == "OPTIONS":
        return cors.preflight(request, "POST")
    arrived: dict[str, str] = {}
    try:
        parsed = back_channel(request, endpoint="token")
        arrived = dict(parsed.form)
        context, tokens = pipeline.answer(parsed)
    except OAuthError as error:
        return cors.allow(refused.as_json(error, endpoint="token", arrived=arrived), request.origin, None)
    return cors.allow(json_answer(tokens.as_json()), request.origin, context.client)
