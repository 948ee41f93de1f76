"""PKCE at both ends of a code's life."""

from __future__ import annotations

import hashlib
import hmac
import re

from idp.kernel.jose import b64encode
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge(client: ClientPolicy, *, code_challenge: str | None, code_challenge_method: str | None) -> str:
    """The challenge to keep with the code, or an empty text when the client may and does go without. Raises OAuthError."""
    if code_challenge is None:
        # RFC 9700 2.1.1: a method without challenge is a client that believes to use PKCE.
        if client.pkce_required or code_challenge_method is not None:
            raise OAuthError(refusals.PKCE_REQUIRED)
        return ""
    # RFC 7636 4.3: an absent method means plain, which is refused like plain itself.
    if code_challenge_method != "S256":
        raise OAuthError(refusals.PKCE_METHOD_UNSUPPORTED)
    if not _CHALLENGE.fullmatch(code_challenge):
        raise OAuthError(refusals.PKCE_CHALLENGE_MALFORMED)
    return code_challenge


def verify(*, code_challenge: str, code_verifier: str | None) -> None:
    """RFC 7636 4.6. Raises OAuthError; FAPI 2.0 and RFC 7636 agree on invalid_grant for a missing verifier too."""
    if not code_challenge:
        # RFC 9700 4.8.2: a verifier for a code without challenge points to a downgrade.
        if code_verifier is not None:
            raise OAuthError(refusals.CODE_VERIFIER_UNEXPECTED)
        return
    if code_verifier is None or not _VERIFIER.fullmatch(code_verifier):
        raise OAuthError(refusals.CODE_VERIFIER_WRONG)
    computed = b64encode(hashlib.sha256(code_verifier.encode("ascii")).digest())
    if not hmac.compare_digest(computed, code_challenge):
        raise OAuthError(refusals.CODE_VERIFIER_WRONG)
