"""Validation of client metadata (RFC 7591 2, OpenID Registration 2), the same for command line, console and API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from idp.kernel.jose import ALGORITHMS, readable_jwk

from . import redirect_uris

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
RESPONSE_TYPES = ("code",)
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
APPLICATION_TYPES = ("web", "native")
PROFILES = ("oidc", "oauth21")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,128}")  # RFC 6749 3.3
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class InvalidMetadata(Exception):
    """A member is wrong. `error` is RFC 7591 3.2.2's code, `member` its name, the message says why."""

    def __init__(self, member: str, reason: str, *, error: str = "invalid_client_metadata") -> None:
        super().__init__(f"{member} {reason}")
        self.member, self.error = member, error


def _strings(member: str, value: Any, most: int = 50) -> list[str]:
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, str) for item in value):
        raise InvalidMetadata(member, f"must be an array of at most {most} strings")
    return list(dict.fromkeys(value))


def _choices(member: str, value: Any, allowed: tuple[str, ...]) -> list[str]:
    chosen = _strings(member, value)
    for item in chosen:
        if item not in allowed:
            raise InvalidMetadata(member, f"may hold only: {', '.join(allowed)}")
    return chosen


def _choice(member: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidMetadata(member, f"must be one of: {', '.join(allowed)}")
    return str(value)


def _web_uri(member: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2000 or not value.isascii() or re.search(r"[\s\\\"<>]", value):
        raise InvalidMetadata(member, "must be an https URL")
    try:
        parts = urlsplit(value)
        fine = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        fine = False
    if not fine:
        raise InvalidMetadata(member, "must be an https URL")
    return value


def _resource(member: str, value: str) -> str:
    # RFC 8707 2: an absolute URI without fragment.
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidMetadata(member, "must hold absolute URIs") from None
    if not parts.scheme or "#" in value or not (parts.netloc or parts.path) or re.search(r"[\s\\\"<>]", value) or not value.isascii():
        raise InvalidMetadata(member, "must hold absolute URIs without fragment (RFC 8707 2)")
    return value


def origin(value: str) -> str:
    """A browser origin (RFC 6454): scheme and host, no path. Raises InvalidMetadata."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise InvalidMetadata("allowed_origins", "must hold origins such as https://app.example") from None
    if value != f"{parts.scheme}://{parts.netloc}" or not parts.hostname or parts.username or value != value.lower() or not value.isascii():
        raise InvalidMetadata("allowed_origins", "must hold origins such as https://app.example")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in redirect_uris.LOOPBACK_HOSTS):
        raise InvalidMetadata("allowed_origins", "must be https; plain http only on loopback")
    if port in (80, 443) and value.endswith(f":{port}"):
        raise InvalidMetadata("allowed_origins", "must not name the default port: browsers leave it out")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidMetadata("client_name", "must be a text")
    cleaned = _INVISIBLE.sub("", value).strip()
    if not 1 <= len(cleaned) <= 100:
        raise InvalidMetadata("client_name", "must have 1 to 100 visible characters")
    return cleaned


def _scope(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4000:
        raise InvalidMetadata("scope", "must be scope names separated by spaces")
    tokens = list(dict.fromkeys(value.split()))
    if not all(_SCOPE_TOKEN.fullmatch(token) for token in tokens):
        raise InvalidMetadata("scope", "must be scope names separated by spaces (RFC 6749 3.3)")
    return " ".join(tokens)


def _seconds(member: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidMetadata(member, f"must be a whole number of seconds from {low} to {high}")
    return value


def _flag(member: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidMetadata(member, "must be true or false")
    return value


def _jwks(value: Any) -> dict[str, Any]:
    # RFC 7591 2: public keys by value. A private or symmetric member would be a secret in the wrong place (RFC 7517 9.2).
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= 20 or not all(isinstance(key, dict) for key in keys):
        raise InvalidMetadata("jwks", "must be a JSON Web Key Set with 1 to 20 keys")
    for key in keys:
        if key.get("kty") not in ("RSA", "EC", "OKP") or not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}.isdisjoint(key):
            raise InvalidMetadata("jwks", "must hold public keys only (RSA, EC or OKP)")
        if not readable_jwk(key):
            raise InvalidMetadata("jwks", "holds a key that cannot be read")
    return {"keys": keys}


def _contacts(value: Any) -> list[str]:
    return _strings("contacts", value, most=10)


MEMBERS: dict[str, Callable[[Any], Any]] = {
    "client_name": _name,
    "application_type": lambda v: _choice("application_type", v, APPLICATION_TYPES),
    "redirect_uris": lambda v: _strings("redirect_uris", v),
    "post_logout_redirect_uris": lambda v: _strings("post_logout_redirect_uris", v),
    "grant_types": lambda v: _choices("grant_types", v, GRANT_TYPES),
    "response_types": lambda v: _choices("response_types", v, RESPONSE_TYPES),
    "token_endpoint_auth_method": lambda v: _choice("token_endpoint_auth_method", v, AUTH_METHODS),
    "scope": _scope,
    "contacts": _contacts,
    "jwks": _jwks,
    "client_uri": lambda v: _web_uri("client_uri", v),
    "logo_uri": lambda v: _web_uri("logo_uri", v),
    "policy_uri": lambda v: _web_uri("policy_uri", v),
    "tos_uri": lambda v: _web_uri("tos_uri", v),
    "default_max_age": lambda v: _seconds("default_max_age", v, 0, 315360000),
    "require_auth_time": lambda v: _flag("require_auth_time", v),
    "id_token_signed_response_alg": lambda v: _choice("id_token_signed_response_alg", v, ALGORITHMS),
    # Ours, beside the registered members:
    "profile": lambda v: _choice("profile", v, PROFILES),
    "first_party": lambda v: _flag("first_party", v),
    "allowed_origins": lambda v: [origin(item) for item in _strings("allowed_origins", v)],
    "resources": lambda v: [_resource("resources", item) for item in _strings("resources", v)],
    "access_token_alg": lambda v: _choice("access_token_alg", v, ALGORITHMS),
    "access_token_format": lambda v: _choice("access_token_format", v, ("jwt", "opaque")),
    "access_token_seconds": lambda v: _seconds("access_token_seconds", v, 30, 3600),
}
# Members that a client need not have: in a change, null takes them away (RFC 7592 2.2).
OPTIONAL = {
    "contacts", "jwks", "client_uri", "logo_uri", "policy_uri", "tos_uri", "default_max_age", "require_auth_time",
    "id_token_signed_response_alg", "access_token_alg", "access_token_format", "access_token_seconds",
}  # fmt: skip
# Answered by us, so a document that was read back may hold them; never taken from the caller.
ANSWERED_ONLY = {"client_id", "client_secret", "client_secret_expires_at", "client_id_issued_at", "enabled"}


def validate(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every member checked and the members checked against each other.

    Raises InvalidMetadata. Unknown members are refused by name: a typing mistake must not weaken a client silently.
    """
    unknown = sorted(set(document) - set(MEMBERS) - ANSWERED_ONLY)
    if unknown:
        raise InvalidMetadata(unknown[0][:60], "is not a member that this provider supports")
    clean = {member: MEMBERS[member](value) for member, value in document.items() if member in MEMBERS}
    _cross_check(clean)
    return clean


def _cross_check(meta: dict[str, Any]) -> None:
    grants, responses = meta["grant_types"], meta["response_types"]
    application_type = meta["application_type"]
    for member in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in meta[member]:
            reason = redirect_uris.problem(uri, application_type=application_type)
            if reason:
                raise InvalidMetadata(member, f"holds an address that {reason}", error="invalid_redirect_uri")
    # RFC 7591 2.1: response types and grant types go together.
    if ("authorization_code" in grants) != bool(responses):
        raise InvalidMetadata("response_types", "must hold code exactly when grant_types holds authorization_code")
    if "authorization_code" in grants and not meta["redirect_uris"]:
        raise InvalidMetadata("redirect_uris", "must hold at least one address", error="invalid_redirect_uri")
    if "refresh_token" in grants and "authorization_code" not in grants:
        raise InvalidMetadata("grant_types", "holds refresh_token without authorization_code")
    if "client_credentials" in grants and meta["token_endpoint_auth_method"] == "none":
        # RFC 6749 4.4: client credentials are for confidential clients only.
        raise InvalidMetadata("token_endpoint_auth_method", "must not be none for client_credentials")
    if not grants:
        raise InvalidMetadata("grant_types", "must hold at least one grant type")
