"""Parameters from a query or a body, strictly (RFC 6749 3.1, 3.2, Appendix B)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from idp.oidc.client_auth.presented import BackChannelRequest
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from .http import HttpIn

MAX_BODY, MAX_FIELDS, MAX_VALUE = 64 * 1024, 100, 16 * 1024
REPEATABLE = frozenset({"resource", "audience"})  # RFC 8707 2
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def pairs(encoded: str) -> list[tuple[str, str]]:
    """Name and value pairs, values never empty (RFC 6749 3.1: an empty value counts as omitted).

    Raises OAuthError for broken escapes, bytes that are not UTF-8, control characters and absurd sizes.
    """
    if len(encoded) > MAX_BODY:
        raise OAuthError(refusals.REQUEST_TOO_LARGE)
    if not encoded.isascii():
        # RFC 3986 2: what is not ASCII arrives percent-encoded, or nobody knows in which encoding it is.
        raise OAuthError(refusals.REQUEST_MALFORMED, "not ASCII")
    if "%" in encoded and _BROKEN_ESCAPE.search(encoded):
        raise OAuthError(refusals.REQUEST_MALFORMED, "broken percent-encoding")
    try:
        found = parse_qsl(encoded, keep_blank_values=False, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise OAuthError(refusals.REQUEST_MALFORMED, "not UTF-8, or too many fields") from None
    for name, value in found:
        if len(value) > MAX_VALUE:
            raise OAuthError(refusals.REQUEST_TOO_LARGE, "one value is too long")
        if CONTROL.search(value) or CONTROL.search(name):
            raise OAuthError(refusals.REQUEST_MALFORMED, "control character")
    return found


def back_channel(request: HttpIn, *, endpoint: str) -> BackChannelRequest:
    """The parsed form of a back-channel request. Raises OAuthError; parameters in the query do not count (RFC 6749 3.2)."""
    if request.method != "POST":
        raise OAuthError(refusals.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
    media_type, _, parameters = request.content_type.partition(";")
    if media_type.strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthError(refusals.CONTENT_TYPE_UNSUPPORTED)
    if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
        raise OAuthError(refusals.CONTENT_TYPE_UNSUPPORTED, "charset")
    if len(request.body) > MAX_BODY:
        raise OAuthError(refusals.REQUEST_TOO_LARGE)
    try:
        encoded = request.body.decode("ascii")
    except UnicodeDecodeError:
        raise OAuthError(refusals.REQUEST_MALFORMED, "not form encoding") from None
    form: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs(encoded):
        if name == "resource":
            resources.append(value)
        elif name in form:
            raise OAuthError(refusals.DUPLICATE_PARAMETER, name[:40])
        else:
            form[name] = value
    return BackChannelRequest(
        endpoint=endpoint,
        form=form,
        resources=tuple(resources),
        authorization=request.authorization,
        origin=request.origin,
        ip=request.ip,
    )
