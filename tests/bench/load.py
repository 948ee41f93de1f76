"""The load: a closed loop over keep-alive connections to a loopback port, bounded in time and in number.

One thread, one selector, raw sockets: it costs the machine about as much per request as the fastest endpoints do, so requests
per second of those are the generator's as much as the server's. CPU per request (`processes.py`) is not touched by that.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# The next request of a connection, given the body of its last answer and that answer's head; None ends the connection's part.
Source = Callable[[int, bytes, bytes], bytes | None]
STUCK_SECONDS = 10


@dataclass
class Load:
    """What a round did. `latencies` in seconds; `refused` counts answers with another status than expected."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    example: str = ""

    @property
    def count(self) -> int:
        return len(self.latencies)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class _Connection:
    def __init__(self, number: int, port: int) -> None:
        self.number = number
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=STUCK_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.head, self.body = b"", b""
        self.started = 0.0


def run(port: int, source: Source, *, status: int, connections: int, seconds: float, most: int) -> Load:
    """Ask until `seconds` are over, `most` requests were answered or `source` has no more. Raises OSError when the server goes away."""
    loop = _Loop(source, expected=f"HTTP/1.1 {status} ".encode(), deadline=time.perf_counter() + seconds, most=most)
    opened = [_Connection(number, port) for number in range(connections)]
    begin = time.perf_counter()
    try:
        loop.turn(opened)
    finally:
        for connection in opened:
            connection.socket.close()
    loop.load.seconds = time.perf_counter() - begin
    return loop.load


class _Loop:
    def __init__(self, source: Source, *, expected: bytes, deadline: float, most: int) -> None:
        self.source, self.expected, self.deadline, self.left = source, expected, deadline, most
        self.load = Load()

    def turn(self, opened: list[_Connection]) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in opened:
                if self._ask(connection):
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
            while selector.get_map():
                ready = selector.select(STUCK_SECONDS)
                if not ready:
                    raise TimeoutError("the server does not answer")
                for key, _ in ready:
                    if self._answered(key.data) and not self._ask(key.data):
                        selector.unregister(key.fileobj)

    def _ask(self, connection: _Connection) -> bool:
        if self.left <= 0 or time.perf_counter() >= self.deadline:
            return False
        request = self.source(connection.number, connection.head, connection.body)
        if request is None:
            return False
        self.left -= 1
        connection.started = time.perf_counter()
        connection.socket.sendall(request)
        return True

    def _answered(self, connection: _Connection) -> bool:
        data = connection.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed a connection")
        connection.received += data
        if not _complete(connection):
            return False
        self.load.latencies.append(time.perf_counter() - connection.started)
        if not connection.head.startswith(self.expected):
            self.load.refused += 1
            self.load.example = self.load.example or (connection.head[:200] + connection.body[:300]).decode("latin-1")
        return True


def _complete(connection: _Connection) -> bool:
    head, found, rest = connection.received.partition(b"\r\n\r\n")
    if not found:
        return False
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return False
    elif b"\r\ntransfer-encoding: chunked" in lower and not rest.endswith(b"0\r\n\r\n"):
        return False
    connection.head, connection.body, connection.received = head, rest, b""
    return True
