"""Is this an ID token of that upstream, for us, for this sign-in? (OpenID Connect Core 3.1.3.7; hostile case GL-05)"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Any

from idp.kernel import clock, jose

from . import documents
from .upstreams import Upstream

SKEW = 60  # seconds by which their clock may differ
OLDEST = 3600  # seconds since it was issued
LONGEST_SUBJECT = 255  # OpenID Connect Core 2

# Google signs with RS256 only, and posted tokens come from strangers: nothing else is looked at.
POSTED_ALGORITHMS = ("RS256",)


class Refused(Exception):
    """Not a token for us. The text names the rule, never a value; for logs and the event log."""


def check(
    token: str,
    upstream: Upstream,
    *,
    nonce: str | None,
    audiences: Collection[str],
    algorithms: tuple[str, ...] | None = None,
    access_token: str | None = None,
) -> dict[str, Any]:
    """Its claims. `nonce` None = whoever calls has looked for it already (posted tokens). Raises Refused, documents.Unreachable."""
    allowed = algorithms or documents.metadata(upstream).algorithms
    try:
        header = jose.header_of(token)
        if header.get("alg") not in allowed:
            raise Refused("alg")
        claims = documents.with_keys(upstream, lambda keys: jose.verify_foreign(token, keys, algorithms=allowed))
    except jose.TokenRefused as error:
        raise Refused(f"signature: {error}") from None
    if claims.get("iss") not in upstream.issuers:
        raise Refused("iss")
    _check_audience(claims, audiences)
    _check_times(claims)
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        raise Refused("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isascii() or not subject.isprintable():
        raise Refused("sub")
    # Core 3.1.3.6: optional in the code flow, but when it is there the access token must be the one that came along.
    at_hash, algorithm = claims.get("at_hash"), str(header["alg"])
    if at_hash is None or access_token is None:
        return claims
    if not access_token.isascii() or not _same(at_hash, jose.left_half_hash(access_token, algorithm)):
        raise Refused("at_hash")
    return claims


def _same(given: Any, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())


def _check_audience(claims: dict[str, Any], audiences: Collection[str]) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not named or not all(isinstance(one, str) for one in named):
        raise Refused("aud")
    if not any(one in audiences for one in named):
        raise Refused("aud")
    # 3.1.3.7 (3-5): no audience that we do not trust; azp, when it is there or must be, is us.
    if any(one not in audiences for one in named):
        raise Refused("aud names somebody else")
    azp = claims.get("azp")
    if (azp is not None or len(named) > 1) and azp not in audiences:
        raise Refused("azp")


def _check_times(claims: dict[str, Any]) -> None:
    moment = clock.now().timestamp()
    expires, issued, not_before = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None:
        raise Refused("exp or iat is missing")
    if expires <= moment - SKEW:
        raise Refused("expired")
    if issued > moment + SKEW or issued < moment - OLDEST - SKEW:
        raise Refused("iat")
    if not_before is not None and not_before > moment + SKEW:
        raise Refused("nbf")


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise Refused(f"{name} is not a time")
    return float(value)


def authenticated_before(claims: dict[str, Any], moment: datetime) -> bool:
    """Whether the upstream says (auth_time) that the person proved themselves there only before `moment`: not afresh."""
    at = _number(claims, "auth_time")
    return at is not None and at < moment.timestamp() - SKEW
