"""client_secret_basic: HTTP Basic with form-encoded values (RFC 6749 2.3.1)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from idp.kernel.clock import now
from idp.oidc.client_auth.presented import BackChannelRequest, Presented
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError


def find(request: BackChannelRequest) -> Presented | None:
    """The credentials in the Authorization header, or None. Raises OAuthError when the header cannot be read."""
    header = request.authorization
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError(refusals.CLIENT_AUTH_HEADER_MALFORMED, "scheme is not Basic")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise OAuthError(refusals.CLIENT_AUTH_HEADER_MALFORMED, "not base64 of UTF-8") from None
    raw_id, colon, raw_secret = text.partition(":")
    if not colon or not raw_id:
        raise OAuthError(refusals.CLIENT_AUTH_HEADER_MALFORMED, "no colon or no client_id")
    return Presented("client_secret_basic", _form_decoded(raw_id), _form_decoded(raw_secret))


def _form_decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise OAuthError(refusals.CLIENT_AUTH_HEADER_MALFORMED, "not form encoding of UTF-8") from None


def prove(client: ClientPolicy, presented: Presented, request: BackChannelRequest) -> bool:
    """Whether it is one of the client's accepted secrets. No SQL."""
    return bool(presented.secret) and client.secret_matches(presented.secret, now=now())
