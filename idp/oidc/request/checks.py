"""The CHECKS table: what an authorization request must satisfy before any person is involved, in this order.

Each check reads the raw request and the target, and answers the members of `AuthorizationRequest` that it proves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from idp.kernel import jose
from idp.oidc.claims import requested as claims_parameter
from idp.oidc.claims.selection import within_reach
from idp.oidc.clients.policy import known_scopes
from idp.oidc.issuance import id_token_hint
from idp.oidc.pkce import checks as pkce
from idp.oidc.protocol import refusals, response_types
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.words import words
from idp.oidc.resource_indicators import checks as resource_indicators
from idp.sessions import assurance

from .authorization_request import AuthorizationRequest, RawRequest, Target

PROMPTS = frozenset({"none", "login", "consent", "select_account", "create"})
DISPLAYS = frozenset({"page", "popup", "touch", "wap"})
MAX_AGE_MOST = 315_360_000
_NUMBER = re.compile(r"[0-9]{1,9}")

Proved = dict[str, Any]


def duplicates(raw: RawRequest, target: Target) -> Proved:
    # RFC 6749 3.1: parameters must not be included more than once.
    if raw.duplicates:
        raise OAuthError(refusals.DUPLICATE_PARAMETER, ", ".join(sorted(raw.duplicates))[:100])
    return {}


def unsupported_parameters(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 7.2.1: what is not supported has an error of its own; it is never ignored.
    if "registration" in raw.parameters:
        raise OAuthError(refusals.REGISTRATION_NOT_SUPPORTED)
    return {}


def response_type(raw: RawRequest, target: Target) -> Proved:
    # RFC 6749 3.1.1, 4.1.2.1; Multiple Response Types 3: words in any order.
    sent = raw.parameters.get("response_type")
    if sent is None:
        raise OAuthError(refusals.RESPONSE_TYPE_MISSING)
    value = response_types.canonical(sent)
    # RFC 9700 2.1.2: tokens in the front channel exist for classic OpenID Connect clients only.
    if value is None or (value != response_types.CODE and not target.client.classic):
        raise OAuthError(refusals.RESPONSE_TYPE_UNSUPPORTED)
    if not target.client.allows_response_type(value):
        raise OAuthError(refusals.RESPONSE_TYPE_NOT_ALLOWED)
    return {"response_type": value}


def response_mode(raw: RawRequest, target: Target) -> Proved:
    # OAuth 2.0 Multiple Response Type Encoding Practices 2.1 and 5: tokens never travel in a query.
    sent = raw.parameters.get("response_mode")
    if sent is not None and sent not in response_types.RESPONSE_MODES:
        raise OAuthError(refusals.RESPONSE_MODE_UNSUPPORTED)
    if sent == "query" and response_types.carries_tokens(raw.parameters.get("response_type", "")):
        raise OAuthError(refusals.RESPONSE_MODE_UNSUPPORTED, "tokens in a query")
    return {}


def scope(raw: RawRequest, target: Target) -> Proved:
    # RFC 6749 3.3. OIDC Core 3.1.2.1: scope values that nobody here knows are ignored; known ones that are not the client's are refused.
    wanted = words(raw.parameters.get("scope", ""))
    allowed = target.client.scopes
    if any(value not in allowed and value in known_scopes() for value in wanted):
        raise OAuthError(refusals.SCOPE_NOT_ALLOWED)
    scopes = tuple(value for value in wanted if value in allowed)
    if not scopes:
        raise OAuthError(refusals.SCOPE_MISSING_OPENID)
    return {"scopes": scopes}


def code_challenge(raw: RawRequest, target: Target) -> Proved:
    # RFC 7636 4.3, 4.4.1; RFC 9700 2.1.1.
    parameters = raw.parameters
    if "code" not in parameters.get("response_type", "").split():
        return {"code_challenge": ""}  # no code, nothing to prove
    return {
        "code_challenge": pkce.challenge(
            target.client,
            code_challenge=parameters.get("code_challenge"),
            code_challenge_method=parameters.get("code_challenge_method"),
        )
    }


def nonce(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 3.1.2.1: passed through unmodified, so it must be bounded; 3.2.2.1: required with a front-channel ID token.
    value = raw.parameters.get("nonce", "")
    if not value and "id_token" in raw.parameters.get("response_type", "").split():
        raise OAuthError(refusals.NONCE_MISSING)
    if len(value) > 1024:
        raise OAuthError(refusals.NONCE_MALFORMED)
    return {"nonce": value}


def prompt(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 3.1.2.1; Initiating User Registration 1.0 4.
    values = frozenset(words(raw.parameters.get("prompt", "")))
    if not values <= PROMPTS:
        raise OAuthError(refusals.PROMPT_UNSUPPORTED)
    if "none" in values and len(values) > 1:
        raise OAuthError(refusals.PROMPT_NONE_NOT_ALONE)
    return {"prompt": values}


def max_age(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 3.1.2.1; OpenID Registration 2 (default_max_age).
    value = raw.parameters.get("max_age")
    if value is None:
        return {"max_age": target.client.default_max_age}
    if not _NUMBER.fullmatch(value) or int(value) > MAX_AGE_MOST:
        raise OAuthError(refusals.MAX_AGE_MALFORMED)
    return {"max_age": int(value)}


def display(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 3.1.2.1: defined values only; one page serves them all.
    if raw.parameters.get("display", "page") not in DISPLAYS:
        raise OAuthError(refusals.DISPLAY_UNSUPPORTED)
    return {}


def claims(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 5.5.
    text = raw.parameters.get("claims")
    if text is None:
        return {"claims": {}}
    try:
        parsed = claims_parameter.parse(text)
    except claims_parameter.Malformed as error:
        raise OAuthError(refusals.CLAIMS_MALFORMED, str(error)) from None
    return {"claims": within_reach(target.client, parsed)}


def acr(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 5.5.1.1: an essential acr that can never be met ends in an error; acr_values alone is voluntary.
    values = words(raw.parameters.get("acr_values", ""))
    text = raw.parameters.get("claims")
    if text is not None:
        options = (claims_parameter.parse(text).get("id_token") or {}).get("acr") or {}
        wanted = options.get("values") or ([options["value"]] if "value" in options else [])
        if options.get("essential") and wanted and not set(map(str, wanted)).intersection(assurance.SUPPORTED):
            raise OAuthError(refusals.ACR_UNATTAINABLE)
    return {"acr_values": values}


def hint(raw: RawRequest, target: Target) -> Proved:
    # OIDC Core 3.1.2.1: an ID token of ours, possibly expired, possibly issued to another client of the same person.
    token = raw.parameters.get("id_token_hint")
    if token is None:
        return {"hinted_subject": None}
    try:
        return {"hinted_subject": str(id_token_hint.read(token)["sub"])}
    except jose.TokenRefused as error:
        raise OAuthError(refusals.ID_TOKEN_HINT_INVALID, str(error)) from None


def resource(raw: RawRequest, target: Target) -> Proved:
    # RFC 8707 2.
    return {"resources": resource_indicators.registered(target.client, raw.resources)}


CHECKS: tuple[Callable[[RawRequest, Target], Proved], ...] = (
    duplicates,
    unsupported_parameters,
    response_type,
    response_mode,
    scope,
    code_challenge,
    nonce,
    prompt,
    max_age,
    display,
    claims,
    acr,
    hint,
    resource,
)


def check(raw: RawRequest, target: Target) -> AuthorizationRequest:
    """Run the table. Raises the first refusal as OAuthError."""
    proved: Proved = {}
    for step in CHECKS:
        proved |= step(raw, target)
    return AuthorizationRequest(target=target, raw=raw, **proved)
