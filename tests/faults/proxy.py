"""A TCP proxy in a thread that delays, cuts or swallows what passes: the network between us and whatever we call."""

from __future__ import annotations

import asyncio
import threading
from typing import Literal

Mode = Literal["pass", "cut", "swallow"]


class Proxy:
    """Listens on a free loopback `port` and forwards to `upstream`. `mode` and `delay` (seconds, towards us) may change at any time.

    "cut" closes every connection, also those that stand; "swallow" accepts and answers nothing.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.mode: Mode = "pass"
        self.delay = 0.0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def set(self, mode: Mode = "pass", *, delay: float = 0.0) -> None:
        """Change what happens, now."""
        self.mode, self.delay = mode, delay
        if mode == "cut":
            self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        """Stop listening and forwarding."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.mode == "cut":
                return
            while self.mode == "swallow":
                if not await reader.read(65536):
                    return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._writers.add(there_writer)
            try:
                await asyncio.gather(self._pump(reader, there_writer, towards_us=False), self._pump(there_reader, writer, towards_us=True))
            finally:
                self._writers.discard(there_writer)
                there_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards_us: bool) -> None:
        while data := await reader.read(65536):
            if self.mode == "swallow":
                continue
            if towards_us and self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
