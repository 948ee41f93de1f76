"""The JSON document of a registration request: parsed strictly, completed by a software statement, cut to what may be registered."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from idp.kernel import jose, outbound, strict_json
from idp.oidc.clients.metadata import MEMBERS, InvalidMetadata
from idp.oidc.clients.policy import STANDARD_SCOPES

MAX_BODY = 64 * 1024
# Decided by the operator, never by whoever registers.
_OPERATORS = {
    "brand_colour", "brand_radius",
    "first_party", "profile", "resources", "access_token_alg", "access_token_format", "access_token_seconds",
    "min_acr", "enrolment", "allow_trusted_browser",
}  # fmt: skip
REGISTRABLE = frozenset(MEMBERS) - _OPERATORS
# RFC 7591 2, OpenID Registration 2.
DEFAULTS: dict[str, Any] = {
    "application_type": "web",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "scope": " ".join(STANDARD_SCOPES),
}


def stated_client_id(body: bytes) -> str | None:
    """The `client_id` that a replacement document names (RFC 7592 2.2). Raises InvalidMetadata."""
    value = _object(body).get("client_id")
    return value if isinstance(value, str) else None


def parse(body: bytes) -> dict[str, Any]:
    """The members that this provider understands (RFC 7591 2: others are ignored, null counts as omitted). Raises InvalidMetadata."""
    found = _object(body)
    statement = found.get("software_statement")
    if statement is not None:
        # RFC 7591 2.3: what the statement says takes precedence.
        found = {**found, **_software_statement(statement)}
    document = {name: value for name, value in found.items() if name in REGISTRABLE and value is not None}
    document.setdefault("client_name", _fallback_name(document))
    complete = {**DEFAULTS, **document}
    if "grant_types" not in document:
        # OpenID Registration 2: grant types follow the response types when only those are given.
        named = complete["response_types"]
        words = {word for value in named if isinstance(value, str) for word in value.split()} if isinstance(named, list) else set()
        complete["grant_types"] = (["authorization_code"] if "code" in words else []) + (
            ["implicit"] if words & {"token", "id_token"} else []
        )
    return complete


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = strict_json.loads(body[: MAX_BODY + 1].decode("utf-8"))
    except ValueError:
        raise InvalidMetadata("document", "is not a JSON object in UTF-8 with each member once") from None
    if len(body) > MAX_BODY or not isinstance(found, dict):
        raise InvalidMetadata("document", "is not a JSON object of reasonable size")
    return found


def _fallback_name(document: dict[str, Any]) -> str:
    uris = document.get("redirect_uris")
    first = uris[0] if isinstance(uris, list) and uris and isinstance(uris[0], str) else ""
    try:
        return (urlsplit(first).hostname or "App")[:100]
    except ValueError:
        return "App"


def _software_statement(statement: Any) -> dict[str, Any]:
    # RFC 7591 2.3, 3.2.2: only from issuers whose keys the operator configured.
    keys = _trusted_keys()
    if not isinstance(statement, str) or not keys:
        raise InvalidMetadata("software_statement", "is not from an issuer that is trusted here", error="unapproved_software_statement")
    try:
        claims = jose.verify_foreign(statement, keys, algorithms=jose.FOREIGN_ALGORITHMS)
    except jose.TokenRefused:
        raise InvalidMetadata("software_statement", "cannot be verified", error="invalid_software_statement") from None
    return {name: value for name, value in claims.items() if name in REGISTRABLE}


@cache
def _trusted_keys() -> tuple[dict[str, Any], ...]:
    path = settings.IDP.software_statement_jwks_file
    if path is None:
        return ()
    found = json.loads(path.read_text("utf-8")).get("keys", [])
    return tuple(key for key in found if isinstance(key, dict) and jose.readable_jwk(key))


def check_sector(document: dict[str, Any]) -> None:
    """OpenID Registration 5: the sector document lists every redirect URI. Raises InvalidMetadata."""
    uri = document.get("sector_identifier_uri")
    if not isinstance(uri, str):
        return
    try:
        answer = outbound.fetch(uri)
        listed = strict_json.loads(answer.body) if answer.status == 200 else None
    except (outbound.OutboundError, ValueError):
        listed = None
    redirect_uris = document.get("redirect_uris", ())
    if not isinstance(listed, list) or not isinstance(redirect_uris, list) or not all(uri in listed for uri in redirect_uris):
        raise InvalidMetadata("sector_identifier_uri", "does not lead to a JSON array that holds every redirect URI")
