"""The METHODS table and the one function that every back-channel endpoint asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from idp.kernel import context, limits
from idp.oidc.clients import cache
from idp.oidc.clients.policy import ClientPolicy, secret_digest
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError, Refusal

from .methods import client_secret_basic, client_secret_jwt, client_secret_post, none, private_key_jwt
from .presented import BackChannelRequest, Presented


@dataclass(frozen=True, slots=True)
class Method:
    """How credentials are found in a request, and how they are proved for the client that they name."""

    find: Callable[[BackChannelRequest], Presented | None]
    prove: Callable[[ClientPolicy, Presented, BackChannelRequest], bool]


METHODS: dict[str, Method] = {
    "client_secret_basic": Method(client_secret_basic.find, client_secret_basic.prove),
    "client_secret_post": Method(client_secret_post.find, client_secret_post.prove),
    "client_secret_jwt": Method(client_secret_jwt.find, client_secret_jwt.prove),
    "private_key_jwt": Method(private_key_jwt.find, private_key_jwt.prove),
}
ASSERTION_METHODS = ("client_secret_jwt", "private_key_jwt")
FAILURES, PER_SECONDS = 30, 60
MOST_BLOCKED = 10_000
BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="token", charset="UTF-8"'}


def authenticate(request: BackChannelRequest, *, public_allowed: bool = True) -> ClientPolicy:
    """The authenticated client. No SQL while nothing fails and the client is cached.

    Raises OAuthError: exactly the registered method is accepted (OIDC Core 9), two methods at once are refused (RFC 6749 2.3).
    """
    try:
        found = [presented for method in METHODS.values() if (presented := method.find(request)) is not None]
    except OAuthError as error:
        raise _unauthorized(request, error.refusal, error.detail) from None
    assertion_besides = "client_assertion" in request.form and not (found and found[0].method in ASSERTION_METHODS)
    if len(found) > 1 or (found and assertion_besides):
        raise OAuthError(refusals.CLIENT_AUTH_TWO_METHODS)
    if assertion_besides:
        # RFC 7521 4.2: credentials of a kind that nobody here is registered for; never as if they had not been sent.
        raise _unauthorized(request, refusals.CLIENT_AUTH_METHOD, "client_assertion")
    presented = found[0] if found else none.find(request)
    if presented is None:
        raise _unauthorized(request, refusals.CLIENT_AUTH_MISSING, "no credentials")
    # RFC 6749 2.3.1: a client_id in the body must not contradict the header.
    if request.form.get("client_id", presented.client_id) != presented.client_id:
        raise OAuthError(refusals.CLIENT_AUTH_TWO_METHODS, "client_id differs between header and body")
    policy = cache.get(presented.client_id)
    if policy is None:
        secret_digest(b"", presented.secret)  # the same work as for a known client
        raise _failed(request, presented, "unknown client")
    if presented.method != policy.auth_method:
        if presented.method == "none":
            raise _unauthorized(request, refusals.CLIENT_AUTH_MISSING, "confidential client without credentials")
        raise _failed(request, presented, "not the registered method", refusals.CLIENT_AUTH_METHOD)
    if policy.public:
        if not public_allowed:
            raise _unauthorized(request, refusals.CLIENT_AUTH_MISSING, "public client")
        return policy
    _refuse_blocked(request, presented)
    if not METHODS[presented.method].prove(policy, presented, request):
        raise _failed(request, presented, "wrong secret or assertion")
    return policy


def _failed(request: BackChannelRequest, presented: Presented, detail: str, refusal: Refusal = refusals.CLIENT_AUTH_FAILED) -> OAuthError:
    # RFC 6749 10.10: guessing is slowed per client and address, so that nobody can lock the client itself out.
    verdict = limits.hit("client_auth", _guesser(request, presented), limit=FAILURES, seconds=PER_SECONDS)
    if not verdict.allowed:
        if len(_blocked) >= MOST_BLOCKED:
            _blocked.clear()
        _blocked[_guesser(request, presented)] = time.monotonic() + verdict.retry_after
        return _throttled(detail, verdict.retry_after)
    return _unauthorized(request, refusal, detail)


# Whoever is over the limit, until when: their next guesses are not even looked at. Empty while nobody guesses, so that a request
# that succeeds costs neither SQL nor a look-up; the limit itself is counted in the database.
_blocked: dict[str, float] = {}


def _guesser(request: BackChannelRequest, presented: Presented) -> str:
    return f"{presented.client_id[:255]}|{context.network(request.ip)}"


def _refuse_blocked(request: BackChannelRequest, presented: Presented) -> None:
    until = _blocked.get(_guesser(request, presented)) if _blocked else None
    if until is not None:
        left = until - time.monotonic()
        if left > 0:
            raise _throttled("over the limit", int(left) + 1)
        _blocked.pop(_guesser(request, presented), None)


def _throttled(detail: str, seconds: int) -> OAuthError:
    return OAuthError(refusals.CLIENT_THROTTLED, detail, {"Retry-After": str(seconds)})


def _unauthorized(request: BackChannelRequest, refusal: Refusal, detail: str) -> OAuthError:
    # RFC 6749 5.2: 401 with the scheme that the client tried; RFC 9110 11.6.1 wants a challenge on every 401.
    return OAuthError(refusal, detail, dict(BASIC_CHALLENGE))
