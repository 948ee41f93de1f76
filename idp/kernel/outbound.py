"""The only way out: HTTP to addresses that somebody else chose, safe against server-side request forgery (ASVS 1.3.6, 13.2.4).

A host name is resolved once, every address it has is checked, and the connection goes to a checked address while TLS and the
`Host` header keep the name: an answer of the name server that changes in between (rebinding) changes nothing. Redirects are
not followed, proxies of the environment are ignored, certificates are always verified, and one deadline covers everything.
What `IDP_OUTBOUND_ALLOW` names may be reached although it is private, and by plain http.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from socket import IPPROTO_TCP, SOCK_STREAM, getaddrinfo
from typing import TYPE_CHECKING

import httpcore
import httpx
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

LONGEST_URL = 2048
MOST_ADDRESSES = 16
MOST_TRIES = 4
CHUNK = 16 * 1024

# What is not global in the IANA registries, and what only translates to something else: nothing public needs these.
FORBIDDEN = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # the metadata service of one cloud has a public address
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
# Above 1023, where anything else may listen: services that speak first or take commands line by line.
DANGEROUS_PORTS = frozenset(
    (
        *(1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 2483, 2484, 3306, 3389, 3659, 4045, 4190, 4369, 5060, 5061, 5432),
        *(5433, 5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 7000, 7001, 8086, 8125),
        *(9042, 9092, 9160, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 25672, 26379, 27017, 27018, 50000),
    )
)

# Resolving has no deadline of its own. A name server that hangs keeps these threads busy and nothing else.
_resolving = ThreadPoolExecutor(4, thread_name_prefix="resolve")


class OutboundError(Exception):
    """The request was refused or failed. `public` may be shown to anybody; the text of the exception is for logs only.

    Both say nothing about what the target answered: the public sentence is always the same one, so that nobody
    can use it to find out which internal address exists.
    """

    public = "This address could not be reached or may not be used."


class Refused(OutboundError):
    """The address is not permitted: it was not contacted."""


class Failed(OutboundError):
    """The target did not answer properly in time."""


class _UnknownEncoding(Failed):
    """The body is packed in a way that was not offered."""


@dataclass(frozen=True, slots=True)
class Response:
    """What the target answered; `headers` with lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    max_bytes: int = 256 * 1024,
    seconds: float = 5,
    whole: bool = True,
    resolver: Resolver | None = None,
) -> Response:
    """Send one request and return the answer, whatever its status. A redirect is an answer like any other.

    `seconds` is the whole time from resolving to the last byte, `max_bytes` the size of the body after decompression. Where the status
    says it all, `whole=False` cuts a longer body off, and one that cannot be unpacked is empty.
    Raises Refused before anything is sent, Failed afterwards; both are OutboundError.
    """
    target = check_syntax(url)
    network = _Network(target, deadline=time.monotonic() + seconds, resolver=resolver or _system_resolver)
    sent_headers = {"user-agent": "Kairos-ID", "accept": "*/*", **(headers or {}), "accept-encoding": "gzip"}
    with (
        _as_outbound_error(),
        httpx.Client(transport=_Transport(network), trust_env=False, follow_redirects=False, timeout=seconds) as client,
        client.stream(method, target, headers=sent_headers, content=content) as answer,
    ):
        body = _read(answer, max_bytes=max_bytes, network=network) if whole else _beginning(answer, max_bytes=max_bytes, network=network)
        return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)


def check(url: str, *, seconds: float = 5, resolver: Resolver | None = None) -> None:
    """Would `fetch` contact this address? For the moment when somebody saves it. Raises Refused or Failed."""
    target = check_syntax(url)
    _Network(target, deadline=time.monotonic() + seconds, resolver=resolver or _system_resolver).addresses()


def check_syntax(url: str) -> httpx.URL:
    """The part of the check that needs no name server: scheme, user info, host, port. Raises Refused."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or any(letter in url for letter in ' \\"<>^`{|}'):
        raise Refused("not a URL in plain ASCII")
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Refused("not a URL") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise Refused("neither https nor http")
    if target.userinfo or "@" in url.partition("://")[2].partition("/")[0].partition("?")[0]:
        raise Refused("user info in the URL")
    if _is_odd_number(target.host):
        raise Refused("an address in another notation")
    allowed = _allowed_by_name(target)
    port = _port(target)
    if not 0 < port < 65536 or (not allowed and ((port < 1024 and port not in (80, 443)) or port in DANGEROUS_PORTS)):
        raise Refused("port not permitted")
    if target.scheme == "http" and not allowed and not _allowed().networks:
        raise Refused("plain http")
    return target


def is_public(address: Address) -> bool:
    """Is this a unicast address of the public internet?"""
    return address.is_global and not any(address in network for network in FORBIDDEN)


@dataclass(frozen=True)
class _Allowed:
    """`IDP_OUTBOUND_ALLOW`, parsed."""

    hosts: frozenset[str]
    endpoints: frozenset[tuple[str, int]]
    networks: tuple[IPv4Network | IPv6Network, ...]


def parse_allow(entries: Iterable[str]) -> _Allowed:
    """Sort `host`, `host:port` and CIDR entries. Raises ValueError for anything else."""
    hosts, endpoints, networks = set(), set(), []
    for entry in entries:
        try:
            networks.append(ip_network(entry.strip("[]"), strict=False))
            continue
        except ValueError:
            pass
        host, _, port = entry.rpartition(":") if entry.count(":") == 1 or "]:" in entry else (entry, "", "")
        host = host.strip("[]").lower().rstrip(".")
        if not host or "/" in host or (port and not port.isdecimal()):
            raise ValueError("neither a host, host:port nor CIDR")
        if port:
            endpoints.add((host, int(port)))
        else:
            hosts.add(host)
    return _Allowed(frozenset(hosts), frozenset(endpoints), tuple(networks))


_parse_allow = lru_cache(maxsize=8)(parse_allow)


def _allowed() -> _Allowed:
    return _parse_allow(settings.IDP.outbound_allow)


def _allowed_by_name(target: httpx.URL) -> bool:
    host = target.host.lower().rstrip(".")
    if host in _allowed().hosts or (host, _port(target)) in _allowed().endpoints:
        return True
    try:
        return _allowed_by_network(ip_address(host))
    except ValueError:
        return False


def _allowed_by_network(address: Address) -> bool:
    return any(address in network for network in _allowed().networks)


def _port(target: httpx.URL) -> int:
    if target.port is not None:
        return target.port
    return 443 if target.scheme == "https" else 80


def _is_odd_number(host: str) -> bool:
    """`0177.0.0.1`, `2130706433`, `0x7f.1`: what inet_aton takes for an address, but nobody means honestly."""
    last = host.rstrip(".").rpartition(".")[2]
    if not (last.isdecimal() or last.lower().startswith("0x")):
        return False
    try:
        return str(ip_address(host)) != host
    except ValueError:
        return True


class _Network(httpcore.NetworkBackend):
    """Connects to checked addresses of one target, within one deadline."""

    def __init__(self, target: httpx.URL, *, deadline: float, resolver: Resolver) -> None:
        self.target = target
        self.deadline = deadline
        self.resolver = resolver
        self.tcp = httpcore.SyncBackend()

    def remaining(self, wanted: float | None = None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failed("deadline passed")
        return left if wanted is None else min(left, wanted)

    def addresses(self) -> list[Address]:
        """Resolve and check. One forbidden address among many refuses the name: the choice is never left to chance."""
        port = _port(self.target)
        try:
            found = [ip_address(self.target.host)]
        except ValueError:
            future = _resolving.submit(self.resolver, self.target.host, port)
            try:
                found = [ip_address(text.partition("%")[0]) for text in future.result(self.remaining())[:MOST_ADDRESSES]]
            except FutureTimeout:
                future.cancel()
                raise Failed("name server too slow") from None
            except (OSError, ValueError):
                raise Failed("name does not resolve") from None
        if not found:
            raise Failed("name does not resolve")
        if _allowed_by_name(self.target):
            return found
        if all(_allowed_by_network(address) for address in found):
            return found
        if self.target.scheme == "http":
            raise Refused("plain http")
        if not all(is_public(address) for address in found):
            raise Refused("address not public")
        return found

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self.addresses()[:MOST_TRIES]
        for position, address in enumerate(addresses, start=1):
            # An address family that leads nowhere must not use up the time of the other one.
            share = self.remaining() / (len(addresses) - position + 1)
            try:
                stream = self.tcp.connect_tcp(str(address), port, timeout=share, socket_options=socket_options)
            except httpcore.ConnectError:
                continue
            except httpcore.ConnectTimeout:
                continue
            return _Stream(stream, self)
        raise Failed("no connection")


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline: one byte per second does not stretch it."""

    def __init__(self, stream: httpcore.NetworkStream, network: _Network) -> None:
        self.stream = stream
        self.network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, timeout=self.network.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, timeout=self.network.remaining(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        started = self.stream.start_tls(ssl_context, server_hostname=server_hostname, timeout=self.network.remaining(timeout))
        return _Stream(started, self.network)

    def get_extra_info(self, info: str) -> object:
        return self.stream.get_extra_info(info)


class _Transport(httpx.BaseTransport):
    """httpx on a connection of ours."""

    def __init__(self, network: _Network) -> None:
        self.pool = httpcore.ConnectionPool(
            ssl_context=_tls(settings.IDP.outbound_ca_file),
            network_backend=network,
            max_connections=1,
            max_keepalive_connections=0,
            http2=False,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self.pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions={"network_stream": None})

    def close(self) -> None:
        self.pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self.answer.iter_stream()

    def close(self) -> None:
        self.answer.close()


def _read(answer: httpx.Response, *, max_bytes: int, network: _Network) -> bytes:
    """The body, decompressed piece by piece, so that a bomb never unfolds in memory."""
    body = b"".join(_pieces(answer, most=max_bytes + 1, network=network))
    if len(body) > max_bytes:
        raise Failed("answer too large")
    return body


def _beginning(answer: httpx.Response, *, max_bytes: int, network: _Network) -> bytes:
    try:
        return b"".join(_pieces(answer, most=max_bytes, network=network))
    except (zlib.error, _UnknownEncoding):
        return b""


def _pieces(answer: httpx.Response, *, most: int, network: _Network) -> Iterator[bytes]:
    """At most so many bytes of the body."""
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise _UnknownEncoding("encoding that was not offered")
    unpacker = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    for piece in answer.iter_raw(CHUNK):
        network.remaining()
        unpacked = (unpacker.decompress(piece, most) if unpacker else piece)[:most]
        yield unpacked
        most -= len(unpacked)
        if most <= 0:
            return


@contextmanager
def _as_outbound_error() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, zlib.error, OSError, ValueError) as error:
        # Only the kind of the failure: its text may hold what the target sent.
        raise Failed(type(error).__name__) from None
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        httpcore.ConnectionNotAvailable,
    ) as error:
        raise Failed(type(error).__name__) from None


@lru_cache(maxsize=2)
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return context


def _system_resolver(host: str, port: int) -> Sequence[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in getaddrinfo(host, port, type=SOCK_STREAM, proto=IPPROTO_TCP)))
