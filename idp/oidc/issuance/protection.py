"""Claims as a client wants them to travel: signed, unsigned where it registered that, encrypted to its own key.

Spec: OpenID Connect Core 2, 5.3.2, 10.1, 10.2, 16.14 (sign, then encrypt); RFC 7516 (JWE), RFC 7518 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from idp.kernel import jose
from idp.oidc.clients import keys
from idp.oidc.keys.ring import signer
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

if TYPE_CHECKING:
    from idp.oidc.clients.policy import ClientPolicy, Encryption


def sealed_for(client: ClientPolicy, claims: Mapping[str, Any], *, typ: str, algorithm: str | None, encryption: Encryption | None) -> str:
    """The compact form of `claims` for `client`: signed with `algorithm` (None = not signed at all), then encrypted.

    Raises OAuthError when the client's encryption key cannot be had.
    """
    content: str | Mapping[str, Any] = claims
    if algorithm is not None:
        content = jose.unsigned(claims) if algorithm == "none" else signer(algorithm).sign(claims, typ=typ)
    if encryption is None:
        return content if isinstance(content, str) else jose.unsigned(claims)
    try:
        return jose.encrypt(content, keys.encryption_key(client, encryption.alg), alg=encryption.alg, enc=encryption.enc)
    except ValueError:
        raise OAuthError(refusals.CLIENT_KEY_MISSING) from None
