"""CPU of Python per request without any server around it: the WSGI callable, one thread, one request after the other.

    python tests/bench/inprocess.py                              # microseconds per operation
    python tests/bench/inprocess.py --only userinfo --profile    # where they go (cProfile)
    python tests/bench/inprocess.py --against ../other-tree      # two trees take turns; what counts are the ratios

The thread's own CPU clock is read around the application alone: reading requests, writing answers and PostgreSQL are not in it.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.bench import kairos, load  # noqa: E402
from tests.bench.operations import Operation, Provider, Source  # noqa: E402
from tests.support import servers  # noqa: E402


class InProcess(Provider):
    """The provider as a function call."""

    application: Callable[..., Any]
    profile: cProfile.Profile | None = None
    used = 0.0  # seconds of CPU inside of the application, of the last load

    def load(self, source: Source, *, status: int, connections: int, seconds: float, most: int) -> load.Load:
        """One connection, whatever is asked for."""
        done = load.Load()
        begin, head, body, self.used = time.perf_counter(), b"", b"", 0.0
        while done.count < most and time.perf_counter() - begin < seconds:
            request = source(0, head, body)
            if request is None:
                break
            head, body, used = self._answer(request)
            self.used += used
            done.latencies.append(used)
            if not head.startswith(f"HTTP/1.1 {status} ".encode()):
                done.refused += 1
                done.example = done.example or (head[:300] + body[:300]).decode("latin-1")
        source(0, head, body)  # the last answer belongs to it as well
        done.seconds = time.perf_counter() - begin
        return done

    def _answer(self, request: bytes) -> tuple[bytes, bytes, float]:
        environ, started = _environ(request), []
        if self.profile:
            self.profile.enable()
        before = time.thread_time()
        answer = self.application(environ, lambda line, headers, _error=None: started.append((line, headers)))
        body = b"".join(answer)
        close = getattr(answer, "close", None)
        if close:
            close()
        used = time.thread_time() - before
        if self.profile:
            self.profile.disable()
        line, headers = started[0]
        head = f"HTTP/1.1 {line}\r\n" + "\r\n".join(f"{name}: {value}" for name, value in headers)
        return head.encode("latin-1"), body, used


def _environ(request: bytes) -> dict[str, Any]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": ""}
    environ |= {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1"}
    environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.version": (1, 0)}
    environ |= {"wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False}
    for line in lines:
        name, _, value = line.partition(": ")
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def main() -> None:
    """Parse the options; measure this tree, or this one and another in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="operations whose name holds one of these words (comma-separated)")
    parser.add_argument("--requests", type=int, default=300, help="of each operation in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--against", type=Path, help="another tree of the project, with this file in it")
    parser.add_argument("--turns", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.against:
        _compare(options)
        return
    out = os.fdopen(os.dup(1), "w", buffering=1)
    with ExitStack() as stack:
        chosen = _start(stack, options.only)
        if options.profile:
            _profile(chosen, options.requests, out)
            return
        found: dict[str, list[float]] = {one.name: [] for one in chosen}
        for number in range(options.rounds):
            for one in chosen:
                if options.turns:
                    sys.stdin.readline()
                found[one.name].append(_microseconds(one, options.requests))
                if options.turns:
                    print(json.dumps([one.name, number, found[one.name][-1]]), file=out)
        if not options.turns:
            for name, values in found.items():
                print(f"{name:45} {min(values):8.0f} least {median(values):8.0f} median", file=out)


def _start(stack: ExitStack, only: str) -> list[Operation]:
    database = stack.enter_context(servers.postgresql())
    data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kairos-bench-")))
    environ = kairos.environment(data_dir, database=database.url, redis="redis://127.0.0.1:1", threads=1)
    environ["IDP_ARGON2_MEMORY_KIB"], environ["IDP_ARGON2_ITERATIONS"] = "7168", "1"  # what is left is all but the hash
    servers.manage(environ, "migrate", seconds=180)
    servers.manage(environ, "keys", "rotate")
    servers.manage(environ, "collectstatic", "--noinput", seconds=180)
    os.environ.update(environ)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # access lines are written, and nobody reads them
    provider = InProcess(kairos.NAME, 0, list, kairos.headers(), kairos.PATHS)
    from idp.wsgi import application

    provider.application = application
    words = [word.strip().lower() for word in only.split(",") if word.strip()]
    found = kairos.all_operations(environ, provider)
    return [one for one in found if not words or any(word in one.name.lower() for word in words)]


def _microseconds(operation: Operation, requests: int) -> float:
    assert isinstance(operation.provider, InProcess)
    if operation.prepare:
        operation.prepare(requests)
    done = operation.provider.load(operation.source, status=operation.status, connections=1, seconds=20, most=requests)
    if done.refused or not done.count:
        raise SystemExit(f"{operation.name}: {done.example}")
    return 1e6 * operation.provider.used / done.count


def _profile(chosen: list[Operation], requests: int, out: TextIO) -> None:
    for one in chosen:
        assert isinstance(one.provider, InProcess)
        if one.prepare:
            one.prepare(requests)
        one.provider.load(one.source, status=one.status, connections=1, seconds=20, most=20)
        one.provider.profile = cProfile.Profile(time.thread_time)
        one.provider.load(one.source, status=one.status, connections=1, seconds=60, most=requests - 20)
        print(f"\n{one.name}, {requests - 20} requests", file=out)
        statistics = pstats.Stats(one.provider.profile, stream=out)
        statistics.sort_stats("tottime").print_stats(45)
        statistics.sort_stats("cumtime").print_stats(60)
        one.provider.profile = None


def _compare(options: argparse.Namespace) -> None:
    arguments = ["--turns", "--only", options.only, "--requests", str(options.requests), "--rounds", str(options.rounds)]
    trees = [options.against.resolve(), ROOT]
    running = [
        subprocess.Popen(
            [sys.executable, tree / "tests/bench/inprocess.py", *arguments],
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for tree in trees
    ]
    found: dict[str, tuple[list[float], list[float]]] = {}
    try:
        for _ in range(options.rounds * 1000):
            for which, process in enumerate(running):
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise EOFError
                name, _, value = json.loads(line)
                found.setdefault(name, ([], []))[which].append(value)
    except (EOFError, BrokenPipeError):
        pass
    finally:
        for process in running:
            process.kill()
            process.wait()
    print(f"{'microseconds of CPU (medians)':45} {'there':>8} {'here':>8}  ratio (median of rounds)")
    for name, (there, here) in found.items():
        ratios = [new / old for old, new in zip(there, here, strict=False)]
        print(f"{name:45} {median(there):8.0f} {median(here):8.0f}  {median(ratios):.2f}")


if __name__ == "__main__":
    main()
