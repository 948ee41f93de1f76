"""The two metadata documents, as bytes with an ETag, rebuilt only when the keys change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from idp.accounts.attributes import scope_claims
from idp.kernel import jose
from idp.oidc.border.http import HttpIn, HttpOut
from idp.oidc.client_auth.authenticate import METHODS
from idp.oidc.clients.policy import known_scopes
from idp.oidc.keys.ring import ring
from idp.oidc.protocol import response_types
from idp.oidc.token.pipeline import GRANTS
from idp.sessions import assurance


@dataclass(frozen=True, slots=True)
class Document:
    """A public document in its final form."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, content: dict[str, Any]) -> Document:
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


_cache: dict[tuple[str, tuple[str, ...]], Document] = {}


def openid_configuration() -> Document:
    """OpenID Connect Discovery 3."""
    return _document("openid")


def authorization_server() -> Document:
    """RFC 8414 2: what concerns OAuth."""
    return _document("oauth")


def _document(kind: str) -> Document:
    algorithms = ring().algorithms
    known = _cache.get((kind, algorithms))
    if known is None:
        content = _oauth() if kind == "oauth" else {**_oauth(), **_openid(list(algorithms))}
        known = _cache[kind, algorithms] = Document.of(content)
    return known


def _oauth() -> dict[str, Any]:
    issuer = settings.IDP.issuer
    confidential = list(METHODS)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "scopes_supported": list(known_scopes()),
        "response_types_supported": list(response_types.SUPPORTED),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [*GRANTS, "implicit"],
        **({"registration_endpoint": f"{issuer}/register"} if settings.IDP.registration != "closed" else {}),
        "token_endpoint_auth_methods_supported": [*confidential, "none"],
        "revocation_endpoint_auth_methods_supported": [*confidential, "none"],
        "introspection_endpoint_auth_methods_supported": confidential,
        **{
            f"{endpoint}_endpoint_auth_signing_alg_values_supported": [*jose.FOREIGN_ALGORITHMS, "HS256"]
            for endpoint in ("token", "revocation", "introspection")
        },
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": [code for code, _ in settings.LANGUAGES],
    }


def _openid(algorithms: list[str]) -> dict[str, Any]:
    issuer = settings.IDP.issuer
    claims = ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce", "at_hash", "c_hash"]
    return {
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "check_session_iframe": f"{issuer}/session/check",
        **{f"{channel}channel_logout_{what}": True for channel in ("front", "back") for what in ("supported", "session_supported")},
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": [*algorithms, "none"],
        "userinfo_signing_alg_values_supported": [*algorithms, "none"],
        **{f"{kind}_encryption_alg_values_supported": list(jose.ENCRYPTION_ALGORITHMS) for kind in ("id_token", "userinfo")},
        **{f"{kind}_encryption_enc_values_supported": list(jose.CONTENT_ENCRYPTIONS) for kind in ("id_token", "userinfo")},
        "request_object_signing_alg_values_supported": [*jose.FOREIGN_ALGORITHMS, "none"],
        "claims_supported": claims + [claim for names in scope_claims().values() for claim in names],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "acr_values_supported": list(assurance.SUPPORTED),
        "display_values_supported": ["page", "popup", "touch", "wap"],
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
    }


def public(request: HttpIn, document: Document, *, content_type: str = "application/json", seconds: int = 3600) -> HttpOut:
    """A document that everybody may read and keep for `seconds`; 304 when the caller has it (RFC 9110 13.1.2)."""
    headers = {
        "Content-Type": content_type,
        "Cache-Control": f"public, max-age={seconds}",
        "ETag": document.etag,
        "Access-Control-Allow-Origin": "*",  # public, and no credentials are ever read here
    }
    if request.method == "OPTIONS":
        return HttpOut(204, headers={**headers, "Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "*"})
    if request.method not in ("GET", "HEAD"):
        return HttpOut(405, headers={"Allow": "GET, HEAD"})
    if request.if_none_match is not None and document.etag in request.if_none_match:
        del headers["Content-Type"]
        return HttpOut(304, headers=headers)
    return HttpOut(200, document.body, headers)
