"""A place for a browser to arrive at: answers every GET with 200, as the redirect URI of a relying party that lives elsewhere."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Landing:
    """`url` is where it listens, `text` what it says; `seen` holds the headers of each request, newest last."""

    url: str
    text: str
    seen: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def landing(port: int = 0, *, text: str = "arrived", tls: ssl.SSLContext | None = None) -> Iterator[Landing]:
    """Listen on `port` (0 = any free one) until the block ends; over https with `tls`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.seen.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(place.text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        place = Landing(f"http{'s' if tls else ''}://localhost:{server.server_port}", text)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield place
        server.shutdown()
