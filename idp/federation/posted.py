"""ID tokens that an app or a page got from an upstream by itself, and posts here (One Tap, mobile apps).

Such a token proves something only together with a nonce that was made here: for one browser, or for one app, good once (hostile case GL-06).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from idp.accounts.authentication import ip_key
from idp.interactions import browser
from idp.kernel import clock, jose, limits
from idp.kernel.ids import digest, secret_token

from . import id_token, identity, reach, upstreams
from .identity import Identity
from .models import Challenge

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.kernel.limits import Verdict

    from .upstreams import Upstream

LIFE = timedelta(minutes=10)
IP_LIMIT, IP_SECONDS = 120, 60  # nonces asked for, and tokens posted, from one address


def within_limits() -> Verdict:
    """Count one request of this address."""
    return limits.hit("federation.posted.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)


def find(name: str) -> Upstream | None:
    """The upstream, if its tokens may be posted now."""
    upstream = upstreams.find(name)
    return upstream if upstream is not None and upstream.options.posted_tokens else None


def of_issuer(token: str) -> Upstream | None:
    """The upstream that this token says it is of, believed in nothing, if its tokens may be posted now."""
    try:
        issuer = jose.unverified_claims(token).get("iss")
    except jose.TokenRefused:
        return None
    return next((one for one in upstreams.offered() if one.options.posted_tokens and issuer in one.issuers), None)


def nonce(request: HttpRequest, upstream: Upstream, *, client_id: str | None) -> str:
    """A nonce for a token that is about to be asked for: of this browser, or of the app `client_id`.

    The answer must pass through `interactions.browser.remember`.
    """
    fresh, moment = secret_token(24), clock.now()
    Challenge(
        digest=digest(fresh),
        purpose=Challenge.Purpose.POSTED,
        upstream=upstream.name,
        browser=None if client_id is not None else browser.ensure(request),
        client_id=client_id,
        created_at=moment,
        expires_at=moment + LIFE,
    ).save(force_insert=True)
    return fresh


def accept(token: str, upstream: Upstream, *, of_browser: bytes | None = None, of_client: str | None = None) -> Identity:
    """Who the token is about. RS256 only; its nonce must be one of ours, of this browser or this client, and is spent.

    Call it outside of a transaction: it may ask the upstream for its keys. Raises id_token.Refused, reach.Unreachable.
    """
    with reach.in_time():
        claims = id_token.check(
            token,
            upstream,
            nonce=None,
            audiences=(upstream.client_id, *upstream.options.audiences),
            algorithms=id_token.POSTED_ALGORITHMS,
        )
    given, moment = claims.get("nonce"), clock.now()
    if not isinstance(given, str) or (of_browser is None) == (of_client is None):
        raise id_token.Refused("nonce")
    waiting = Challenge.objects.filter(
        digest=digest(given),
        purpose=Challenge.Purpose.POSTED,
        upstream=upstream.name,
        browser=of_browser,
        client_id=of_client,
        used_at=None,
        expires_at__gt=moment,
    )
    if waiting.update(used_at=moment) != 1:
        raise id_token.Refused("nonce is not ours, not yours, too old or used")
    return identity.read(upstream, claims)
