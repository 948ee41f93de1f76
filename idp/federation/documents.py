"""What an upstream publishes: its metadata and its keys, kept per process (OpenID Connect Discovery 4, OpenID Connect Core 10.1.1)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from idp.kernel import jose, outbound

from . import reach
from .reach import Unreachable
from .upstreams import WELL_KNOWN, Upstream

METADATA_SECONDS = 3600.0
KEYS_SECONDS = 3600.0  # at most: a shorter max-age of the answer counts
LEAST_SECONDS = 60.0
REFETCH_SECONDS = 55.0  # a flood of unknown key ids costs one request a minute (hostile case SS-09)
AFTER_FAILURE_SECONDS = 5.0  # an upstream that is down is asked again so often, whoever waits meanwhile hears it at once
MOST_KEYS = 50

T = TypeVar("T")
Keys = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members of the discovery document that we use."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    algorithms: tuple[str, ...]
    auth_methods: tuple[str, ...]
    sends_issuer: bool

    def secret_in_header(self, chosen: str) -> bool:
        """Whether our secret goes into the header: as `chosen`, else as it says, and first as every server must (RFC 6749 2.3.1)."""
        return chosen == "client_secret_basic" or (not chosen and "client_secret_basic" in self.auth_methods)


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    at: float
    until: float
    failed: bool = False


_lock = threading.Lock()
_kept: dict[tuple[str, str], _Kept] = {}


def forget() -> None:
    """Ask for everything anew, for example after an operator changed something."""
    _kept.clear()


def metadata(upstream: Upstream) -> Metadata:
    """Where its endpoints are. What was read last serves on while it cannot be reached. Raises Unreachable."""
    return _keep(("metadata", upstream.issuer), METADATA_SECONDS, lambda: _read_metadata(upstream))


def with_keys(upstream: Upstream, use: Callable[[Keys], T]) -> T:
    """What `use` makes of its public keys. Raises what `use` raises, or Unreachable.

    When `use` finds none that fits (jose.TokenRefused), they are fetched again, at most about once a minute: that is how keys rotate.
    """
    uri = metadata(upstream).jwks_uri
    slot = ("keys", uri)
    before = _kept.get(slot)
    keys = _keep(slot, KEYS_SECONDS, lambda: _read_keys(uri))
    try:
        return use(keys)
    except jose.TokenRefused:
        known = _kept.get(slot)
        if before is None or known is None or time.monotonic() - known.at < REFETCH_SECONDS:
            raise
        return use(_keep(slot, KEYS_SECONDS, lambda: _read_keys(uri), older_than=known.at))


def _keep(slot: tuple[str, str], seconds: float, read: Callable[[], tuple[Any, float | None]], *, older_than: float | None = None) -> Any:
    with _lock:
        known, moment = _kept.get(slot), time.monotonic()
        fresh = known is not None and moment < known.until and (older_than is None or known.at > older_than)
        if known is not None and fresh:
            if known.value is None:
                raise Unreachable("failed a moment ago")
            return known.value
    # Outside of the lock: an upstream that hangs keeps nobody else waiting.
    try:
        value, life = read()
        kept = _Kept(value, time.monotonic(), time.monotonic() + max(LEAST_SECONDS, min(seconds, life if life is not None else seconds)))
    except Unreachable:
        value = known.value if known is not None else None
        _store(slot, _Kept(value, time.monotonic(), time.monotonic() + AFTER_FAILURE_SECONDS, failed=True))
        if value is None:
            raise
        return value
    _store(slot, kept)
    return value


def _store(slot: tuple[str, str], kept: _Kept) -> None:
    with _lock:
        if len(_kept) > 500:
            _kept.clear()
        _kept[slot] = kept


def _read_metadata(upstream: Upstream) -> tuple[Metadata, float | None]:
    answer = reach.fetch(upstream.issuer.rstrip("/") + WELL_KNOWN, headers={"accept": "application/json"})
    found = reach.json_object(answer)
    # Discovery 4.3: the document must be about the issuer that was asked.
    if found.get("issuer") != upstream.issuer:
        raise Unreachable("its document names another issuer")
    # RFC 7636 4.2: S256 is what we send; a server that does not know PKCE ignores it.
    read = Metadata(
        authorization_endpoint=_address(found, "authorization_endpoint", needed=True),
        token_endpoint=_address(found, "token_endpoint", needed=True),
        jwks_uri=_address(found, "jwks_uri", needed=True),
        userinfo_endpoint=_address(found, "userinfo_endpoint"),
        end_session_endpoint=_address(found, "end_session_endpoint"),
        algorithms=tuple(alg for alg in jose.FOREIGN_ALGORITHMS if alg in _texts(found, "id_token_signing_alg_values_supported"))
        or ("RS256",),
        auth_methods=_texts(found, "token_endpoint_auth_methods_supported") or ("client_secret_basic",),
        sends_issuer=found.get("authorization_response_iss_parameter_supported") is True,
    )
    return read, None


def _read_keys(uri: str) -> tuple[Keys, float | None]:
    answer = reach.fetch(uri, headers={"accept": "application/jwk-set+json, application/json"})
    found = reach.json_object(answer).get("keys")
    if not isinstance(found, list):
        raise Unreachable("not a key set")
    keys = tuple(key for key in found[:MOST_KEYS] if isinstance(key, dict) and key.get("kty") != "oct" and jose.readable_jwk(key))
    age = re.search(r"(?:^|[\s,])max-age=(\d{1,9})", answer.headers.get("cache-control", ""))
    return keys, float(age[1]) if age else None


def _address(found: dict[str, Any], member: str, *, needed: bool = False) -> str:
    value = found.get(member)
    if value is None and not needed:
        return ""
    try:
        if not isinstance(value, str) or "#" in value:
            raise Unreachable(f"{member} is no address")
        outbound.check_syntax(value)
    except outbound.OutboundError:
        raise Unreachable(f"{member} may not be used") from None
    return value


def _texts(found: dict[str, Any], member: str) -> tuple[str, ...]:
    value = found.get(member)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
