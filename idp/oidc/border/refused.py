"""Refusals as answers of back-channel endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from idp.oidc.explain.record import record
from idp.oidc.protocol.errors import OAuthError

from .http import HttpOut, json_answer


def described(error: OAuthError, reference: str) -> str:
    """The public description with the reference that the operator can look up (RFC 6749 5.2: printable ASCII)."""
    return f"{error.refusal.description} (reference {reference})"


def as_json(error: OAuthError, *, endpoint: str, arrived: Mapping[str, str], client_id: str = "") -> HttpOut:
    """RFC 6749 5.2."""
    reference = record(error, endpoint=endpoint, arrived=arrived, client_id=client_id)
    document = {"error": error.refusal.error, "error_description": described(error, reference)}
    return json_answer(document, status=error.refusal.status, headers=error.headers)


def as_challenge(error: OAuthError, *, endpoint: str, arrived: Mapping[str, str]) -> HttpOut:
    """RFC 6750 3: the challenge carries the error, but not for a request without any token (3.1)."""
    reference = record(error, endpoint=endpoint, arrived=arrived)
    description = described(error, reference)
    if error.refusal.code == "bearer-missing":
        challenge = 'Bearer realm="userinfo"'
    else:
        challenge = f'Bearer realm="userinfo", error="{error.refusal.error}", error_description="{description}"'
        if error.refusal.error == "insufficient_scope":
            challenge += ', scope="openid"'
    document = {"error": error.refusal.error, "error_description": description}
    return json_answer(document, status=error.refusal.status, headers={"WWW-Authenticate": challenge, **error.headers})
