"""Validation of client metadata (RFC 7591 2, OpenID Registration 2), the same for command line, console and API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from idp.kernel import colours
from idp.kernel.jose import ALGORITHMS, CONTENT_ENCRYPTIONS, ENCRYPTION_ALGORITHMS, readable_jwk
from idp.oidc.protocol import response_types
from idp.sessions import assurance

from . import redirect_uris

GRANT_TYPES = (
    "authorization_code",
    "implicit",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",  # RFC 8693
)
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
APPLICATION_TYPES = ("web", "native")
PROFILES = ("oidc", "oauth21")
MINIMA = (assurance.ONE_FACTOR, assurance.TWO_FACTORS, assurance.PHISHING_RESISTANT, assurance.HARDWARE)
ENROLMENTS = ("inline", "block")
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


def _response_types(value: Any) -> list[str]:
    # Multiple Response Types 3: words in any order; kept in the usual one.
    found = [response_types.canonical(item) for item in _strings("response_types", value)]
    if None in found:
        raise InvalidMetadata("response_types", f"may hold only: {', '.join(response_types.SUPPORTED)}")
    return [item for item in dict.fromkeys(found) if item is not None]


def _request_uris(value: Any) -> list[str]:
    # OIDC Core 6.2: a fragment may stand for the content's hash, so it is allowed here and compared as it is.
    uris = _strings("request_uris", value)
    for uri in uris:
        if len(uri) > 512:
            raise InvalidMetadata("request_uris", "must hold addresses of at most 512 characters")
        _web_uri("request_uris", uri)
    return uris


def _contacts(value: Any) -> list[str]:
    return _strings("contacts", value, most=10)


def _text(member: str, value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or not value.isprintable():
        raise InvalidMetadata(member, "must be a short text")
    return value


def _colour(value: Any) -> str:
    try:
        return colours.checked(value) if isinstance(value, str) else _text("brand_colour", value)
    except colours.Unreadable as reason:
        raise InvalidMetadata("brand_colour", str(reason)) from None


def _identity_providers(value: Any) -> list[str]:
    names = _strings("identity_providers", value)
    if not all(re.fullmatch(r"[a-z0-9-]{1,40}", name) for name in names):
        raise InvalidMetadata("identity_providers", "must hold names of other providers, as manage.py upstream list shows them")
    return names


def _encryption_member(member: str, allowed: tuple[str, ...]) -> Callable[[Any], str]:
    return lambda value: _choice(member, value, allowed)


MEMBERS: dict[str, Callable[[Any], Any]] = {
    "client_name": _name,
    "application_type": lambda v: _choice("application_type", v, APPLICATION_TYPES),
    "redirect_uris": lambda v: _strings("redirect_uris", v),
    "post_logout_redirect_uris": lambda v: _strings("post_logout_redirect_uris", v),
    "grant_types": lambda v: _choices("grant_types", v, GRANT_TYPES),
    "response_types": _response_types,
    "token_endpoint_auth_method": lambda v: _choice("token_endpoint_auth_method", v, AUTH_METHODS),
    "scope": _scope,
    "contacts": _contacts,
    "jwks": _jwks,
    "jwks_uri": lambda v: _web_uri("jwks_uri", v),
    "request_uris": _request_uris,
    "initiate_login_uri": lambda v: _web_uri("initiate_login_uri", v),
    "subject_type": lambda v: _choice("subject_type", v, ("public", "pairwise")),
    "sector_identifier_uri": lambda v: _web_uri("sector_identifier_uri", v),
    "frontchannel_logout_uri": lambda v: _web_uri("frontchannel_logout_uri", v),
    "frontchannel_logout_session_required": lambda v: _flag("frontchannel_logout_session_required", v),
    "backchannel_logout_uri": lambda v: _web_uri("backchannel_logout_uri", v),
    "backchannel_logout_session_required": lambda v: _flag("backchannel_logout_session_required", v),
    "token_endpoint_auth_signing_alg": lambda v: _choice("token_endpoint_auth_signing_alg", v, (*ALGORITHMS, "HS256")),
    "request_object_signing_alg": lambda v: _choice("request_object_signing_alg", v, (*ALGORITHMS, "none")),
    "userinfo_signed_response_alg": lambda v: _choice("userinfo_signed_response_alg", v, (*ALGORITHMS, "none")),
    **{
        f"{kind}_encrypted_response_alg": _encryption_member(f"{kind}_encrypted_response_alg", ENCRYPTION_ALGORITHMS)
        for kind in ("id_token", "userinfo")
    },
    **{
        f"{kind}_encrypted_response_enc": _encryption_member(f"{kind}_encrypted_response_enc", CONTENT_ENCRYPTIONS)
        for kind in ("id_token", "userinfo")
    },
    "default_acr_values": lambda v: _strings("default_acr_values", v, most=10),
    "software_id": lambda v: _text("software_id", v),
    "software_version": lambda v: _text("software_version", v),
    "client_uri": lambda v: _web_uri("client_uri", v),
    "logo_uri": lambda v: _web_uri("logo_uri", v),
    "policy_uri": lambda v: _web_uri("policy_uri", v),
    "tos_uri": lambda v: _web_uri("tos_uri", v),
    "default_max_age": lambda v: _seconds("default_max_age", v, 0, 315360000),
    "require_auth_time": lambda v: _flag("require_auth_time", v),
    "id_token_signed_response_alg": lambda v: _choice("id_token_signed_response_alg", v, (*ALGORITHMS, "none")),
    # Ours, beside the registered members:
    "profile": lambda v: _choice("profile", v, PROFILES),
    "first_party": lambda v: _flag("first_party", v),
    "identity_providers": _identity_providers,
    "allowed_origins": lambda v: [origin(item) for item in _strings("allowed_origins", v)],
    "resources": lambda v: [_resource("resources", item) for item in _strings("resources", v)],
    "brand_colour": _colour,
    "brand_radius": lambda v: _seconds("brand_radius", v, 0, colours.MOST_RADIUS),
    "access_token_alg": lambda v: _choice("access_token_alg", v, ALGORITHMS),
    "access_token_format": lambda v: _choice("access_token_format", v, ("jwt", "opaque")),
    "access_token_seconds": lambda v: _seconds("access_token_seconds", v, 30, 3600),
    "min_acr": lambda v: _choice("min_acr", v, MINIMA),
    "enrolment": lambda v: _choice("enrolment", v, ENROLMENTS),
    "allow_trusted_browser": lambda v: _flag("allow_trusted_browser", v),
}
# Members that a client need not have: in a change, null takes them away (RFC 7592 2.2).
OPTIONAL = set(MEMBERS) - {
    "client_name", "application_type", "redirect_uris", "post_logout_redirect_uris", "grant_types", "response_types",
    "token_endpoint_auth_method", "scope", "profile", "first_party", "allowed_origins", "resources",
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
    if not meta["grant_types"]:
        raise InvalidMetadata("grant_types", "must hold at least one grant type")
    words = {word for value in meta["response_types"] for word in value.split()}
    _cross_check_uris(meta)
    _cross_check_grants(meta, words)
    _cross_check_keys(meta, words)


def _cross_check_uris(meta: dict[str, Any]) -> None:
    for member in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in meta[member]:
            reason = redirect_uris.problem(uri, application_type=meta["application_type"])
            if reason:
                raise InvalidMetadata(member, f"holds an address that {reason}", error="invalid_redirect_uri")
    if meta["response_types"] and not meta["redirect_uris"]:
        raise InvalidMetadata("redirect_uris", "must hold at least one address", error="invalid_redirect_uri")
    if meta.get("frontchannel_logout_uri"):
        # OpenID Connect Front-Channel Logout 2: same scheme, host and port as a redirect URI.
        origins = {urlsplit(uri)[:2] for uri in meta["redirect_uris"]}
        if urlsplit(meta["frontchannel_logout_uri"])[:2] not in origins:
            raise InvalidMetadata("frontchannel_logout_uri", "must have the origin of a redirect URI")
    # OIDC Core 8.1: several hosts need a sector_identifier_uri.
    hosts = {urlsplit(uri).hostname for uri in meta["redirect_uris"]}
    if meta.get("subject_type") == "pairwise" and not meta.get("sector_identifier_uri") and len(hosts) > 1:
        raise InvalidMetadata("sector_identifier_uri", "is needed when redirect URIs have several hosts")


def _cross_check_grants(meta: dict[str, Any], words: set[str]) -> None:
    # RFC 7591 2.1, OpenID Registration 2: response types and grant types go together.
    grants = meta["grant_types"]
    if ("authorization_code" in grants) != ("code" in words):
        raise InvalidMetadata("response_types", "must hold a type with code exactly when grant_types holds authorization_code")
    if ("implicit" in grants) != bool(words & {"token", "id_token"}):
        raise InvalidMetadata("grant_types", "must hold implicit exactly when a response type brings tokens through the browser")
    if "implicit" in grants and meta["profile"] != "oidc":
        raise InvalidMetadata("grant_types", "may hold implicit for the profile oidc only (RFC 9700 2.1.2)")
    if "refresh_token" in grants and "authorization_code" not in grants:
        raise InvalidMetadata("grant_types", "holds refresh_token without authorization_code")
    if "client_credentials" in grants and meta["token_endpoint_auth_method"] == "none":
        # RFC 6749 4.4: client credentials are for confidential clients only.
        raise InvalidMetadata("token_endpoint_auth_method", "must not be none for client_credentials")


def _cross_check_keys(meta: dict[str, Any], words: set[str]) -> None:
    method = meta["token_endpoint_auth_method"]
    if "jwks" in meta and "jwks_uri" in meta:
        raise InvalidMetadata("jwks_uri", "must not be used together with jwks (RFC 7591 2)")
    has_keys = "jwks" in meta or "jwks_uri" in meta
    if method == "private_key_jwt" and not has_keys:
        raise InvalidMetadata("jwks", "or jwks_uri is needed for private_key_jwt")
    signing = meta.get("token_endpoint_auth_signing_alg")
    if signing is not None and (signing == "HS256") != (method == "client_secret_jwt"):
        raise InvalidMetadata("token_endpoint_auth_signing_alg", "does not go with token_endpoint_auth_method")
    if not has_keys and meta.get("request_object_signing_alg") not in (None, "none"):
        raise InvalidMetadata("request_object_signing_alg", "needs jwks or jwks_uri")
    for kind in ("id_token", "userinfo"):
        alg = f"{kind}_encrypted_response_alg"
        if alg in meta and not has_keys:
            raise InvalidMetadata(alg, "needs jwks or jwks_uri")
        if f"{kind}_encrypted_response_enc" in meta and alg not in meta:
            raise InvalidMetadata(f"{kind}_encrypted_response_enc", "needs the member with alg (OpenID Registration 2)")
    # OpenID Registration 2: none only where no ID token comes through the browser; RFC 9700: never outside the classic profile.
    if meta.get("id_token_signed_response_alg") == "none" and ("id_token" in words or meta["profile"] != "oidc"):
        raise InvalidMetadata("id_token_signed_response_alg", "may be none for classic clients of the code flow only")
    if meta.get("request_object_signing_alg") == "none" and meta["profile"] != "oidc":
        raise InvalidMetadata("request_object_signing_alg", "may be none for the profile oidc only")
