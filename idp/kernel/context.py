"""Who is asking, from where, under which request id: for logs, events and limits.

Plain functions over the WSGI environment: the middleware uses them, and so does whatever answers before Django's handler.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
MOST_HOPS = 20
USER_AGENT_LENGTH = 300
LONGEST_ADDRESS = 64


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. Outside of a request all of it is empty (commands, beat)."""

    request_id: str = ""
    ip: str = ""
    user_agent: str = ""
    secure: bool = False


NOBODY = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("kairos_request", default=NOBODY)


def current() -> RequestContext:
    """The request that this thread works for."""
    return _current.get()


def enter(request: RequestContext) -> Token[RequestContext]:
    """Make `request` the current one; hand the answer to `leave`."""
    return _current.set(request)


def leave(token: Token[RequestContext]) -> None:
    """Undo `enter`."""
    _current.reset(token)


def from_environ(environ: Mapping[str, Any]) -> RequestContext:
    """Read a WSGI environment (PEP 3333). Never raises: a header that cannot be read counts as absent.

    `X-Request-ID`, `X-Forwarded-For` and `X-Forwarded-Proto` are believed from peers in `IDP_TRUSTED_PROXIES` only.
    """
    secure = environ.get("wsgi.url_scheme") == "https"
    request_id = ""
    peer, forwarded_for = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    trusted, address = _way(peer[: LONGEST_ADDRESS + 1], forwarded_for[-LONGEST_ADDRESS * MOST_HOPS :], settings.IDP.trusted_proxies)
    if trusted:
        secure = environ.get("HTTP_X_FORWARDED_PROTO", environ.get("wsgi.url_scheme", "")).strip().lower() == "https"
        inbound = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = inbound if len(inbound) <= 64 and REQUEST_ID.fullmatch(inbound) else ""
    return RequestContext(
        request_id=request_id or secrets.token_hex(16),
        ip=address,
        user_agent=_one_line(environ.get("HTTP_USER_AGENT", "")[:USER_AGENT_LENGTH]),
        secure=secure,
    )


def settle(environ: MutableMapping[str, Any], request: RequestContext) -> None:
    """Write what was decided back, so that nothing downstream reads a forwarded header by itself.

    `request.is_secure()` and `REMOTE_ADDR` then tell the truth, and allauth or Django cannot be talked into another.
    """
    environ["wsgi.url_scheme"] = "https" if request.secure else "http"
    environ["REMOTE_ADDR"] = request.ip
    for name in ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED"):
        environ.pop(name, None)


@lru_cache(maxsize=4096)
def _way(peer_text: str, forwarded_for: str, proxies: tuple[str, ...]) -> tuple[bool, str]:
    """Whether the peer is trusted, and the client's address as text. The same ones come again."""
    peer = parse_address(peer_text)
    if peer is None:
        return False, ""
    if not _within(peer, proxies):
        return False, str(peer)
    return True, str(client_address(peer, forwarded_for))


def client_address(peer: Address, forwarded_for: str) -> Address:
    """The right-most hop that is not a trusted proxy; `peer` is a trusted one.

    What stands further left was written by the client. A hop that cannot be parsed ends the walk at the proxy that
    reported it: such a request is limited under that proxy's address, it never goes without a limit.
    """
    address = peer
    for hop in reversed(forwarded_for[-LONGEST_ADDRESS * MOST_HOPS :].split(",")[-MOST_HOPS:]):
        parsed = parse_address(hop.strip())
        if parsed is None:
            return address
        address = parsed
        if not is_trusted(address):
            return address
    return address


@lru_cache(maxsize=4096)  # parsing costs more than all the rest here, and the same addresses come again; bounded in number and length
def _parse(text: str) -> Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return None
        return address.ipv4_mapped or address
    return address


def parse_address(text: str) -> Address | None:
    """An IP address with or without port (`192.0.2.1:80`, `[2001:db8::1]:80`), IPv4-mapped ones as IPv4; None if it is none."""
    return _parse(text) if len(text) <= LONGEST_ADDRESS else None


def network(ip: str = "") -> str:
    """`ip`, or the client's of this request, as limits count it: who has an IPv6 address has the 2^64 of its network."""
    address = parse_address(ip or current().ip)
    if address is None:
        return "unknown"
    return str(ip_network((int(address) >> 64 << 64, 64))) if isinstance(address, IPv6Address) else str(address)


def is_trusted(address: Address) -> bool:
    """Is this one of `IDP_TRUSTED_PROXIES`?"""
    return _within(address, settings.IDP.trusted_proxies)


@lru_cache(maxsize=4096)
def _within(address: Address, proxies: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(proxies))


@lru_cache(maxsize=8)
def _networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(proxy, strict=False) for proxy in proxies)


def _one_line(latin1: str) -> str:
    # PEP 3333: header values arrive as bytes in the disguise of Latin-1. No control character and no bidi mark stays.
    text = latin1.encode("latin-1", "replace").decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "?" for letter in text)
