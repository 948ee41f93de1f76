"""A client's own public keys, by value or fetched from its `jwks_uri` (OpenID Registration 2, OIDC Core 10.1.1)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from idp.kernel import jose, outbound
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

from .policy import ClientPolicy

KEEP_SECONDS = 300.0
REFETCH_SECONDS = 55.0  # hostile case SS-09: a flood of unknown key ids costs one request a minute
MOST_KEYS = 50

T = TypeVar("T")
Keys = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: Keys
    at: float


_lock = threading.Lock()
_fetching: dict[tuple[int, str], threading.Lock] = {}  # one at a time for each client: a slow one holds up nobody else
_fetched: dict[tuple[int, str], _Fetched] = {}  # by client: two clients may share an address, never a limit


def verify(client: ClientPolicy, token: str, *, algorithms: tuple[str, ...]) -> dict[str, Any]:
    """The claims of a JWS by one of the client's keys. Raises jose.TokenRefused.

    An unknown key makes us fetch `jwks_uri` again, at most about once a minute per client: that is how a client rotates.
    """
    return _with_refetch(client, lambda keys: jose.verify_foreign(token, keys, algorithms=algorithms))


def encryption_key(client: ClientPolicy, alg: str) -> dict[str, Any]:
    """The client's key to encrypt to. Raises OAuthError when it has none that fits."""
    kind = "RSA" if alg.startswith("RSA") else "EC"

    def choose(keys: Keys) -> dict[str, Any]:
        fitting = [k for k in keys if k.get("kty") == kind and k.get("use", "enc") == "enc" and k.get("alg", alg) == alg]
        if not fitting:
            raise jose.TokenRefused("no encryption key")
        return fitting[0]

    try:
        return _with_refetch(client, choose)
    except jose.TokenRefused:
        raise OAuthError(refusals.CLIENT_KEY_MISSING) from None


def _with_refetch(client: ClientPolicy, use: Callable[[Keys], T]) -> T:
    if not client.jwks_uri:
        return use(client.jwks)
    key = (client.pk, client.jwks_uri)
    known = _fetched.get(key)
    moment = time.monotonic()
    if known is not None and moment - known.at < KEEP_SECONDS:
        try:
            return use(known.keys)
        except jose.TokenRefused:
            if moment - known.at < REFETCH_SECONDS:
                raise
    return use(_fetch(key, known))


def _fetch(key: tuple[int, str], known: _Fetched | None) -> Keys:
    with _lock:
        if len(_fetching) > 1000:
            _fetching.clear()
        fetching = _fetching.setdefault(key, threading.Lock())
    with fetching:
        current = _fetched.get(key)
        if current is not known and current is not None:
            return current.keys  # another thread was faster
        try:
            answer = outbound.fetch(key[1])
            if answer.status != 200:
                raise ValueError("not 200")
            found = json.loads(answer.body)["keys"]
            keys = tuple(k for k in found[:MOST_KEYS] if isinstance(k, dict) and jose.readable_jwk(k))
        except (outbound.OutboundError, ValueError, KeyError, TypeError, RecursionError):
            keys = () if known is None else known.keys
        if len(_fetched) > 1000:
            _fetched.clear()
        _fetched[key] = _Fetched(keys, time.monotonic())
        return keys
