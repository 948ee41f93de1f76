"""`make bench` and `make bench-peers`: every endpoint next to an application that does nothing, in one run.

Starts what it needs on loopback, warms up, then rounds that take turns, each bounded in time and in number. Prints medians over
the rounds. See docs/performance.md for how to read it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.bench import kairos, load, operations, processes  # noqa: E402
from tests.bench.operations import Operation, Provider  # noqa: E402
from tests.support import servers  # noqa: E402

VIEW, BARE = "trivial Django view", "trivial WSGI answer"


@dataclass
class Round:
    """One round of one operation. Times of processes in milliseconds per request."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    cpu_database: float
    refused: int


def main() -> None:
    """Parse the options, start everything, measure, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each operation in each round")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1, help="processes of every server")
    parser.add_argument("--threads", type=int, default=8, help="of every process, and its database connections")
    parser.add_argument("--only", default="", help="operations whose name holds one of these words (comma-separated)")
    parser.add_argument("--peers", action="store_true", help="measure node-oidc-provider, django-oauth-toolkit and Hydra in the same run")
    parser.add_argument("--skip", default="", help="providers and operations whose name holds one of these words (comma-separated)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    with ExitStack() as stack:
        try:
            database = stack.enter_context(servers.postgresql(durable=True))
        except servers.Missing as missing:
            sys.exit(f"make bench needs PostgreSQL: {missing}")
        try:
            redis = stack.enter_context(servers.redis()).url
        except servers.Missing as missing:
            redis = None
            print(f"Without Redis, so with development settings: {missing}")
        wanted = list(_start(stack, options, database, redis))
        chosen = [one for one in wanted if one.name in (VIEW, BARE) or _is_chosen(one, options)]
        bench = Bench(database=database, options=options)
        statements = {_key(one): bench.statements(one) for one in chosen if one.provider.database}
        rounds: dict[tuple[str, str], list[Round]] = {_key(one): [] for one in chosen}
        for number in range(options.rounds):
            for one in chosen:
                rounds[_key(one)].append(bench.round(one))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        _report(chosen, rounds, statements, options, redis=redis, database=database)


def _start(stack: ExitStack, options: argparse.Namespace, database: servers.Server, redis: str | None) -> Iterator[Operation]:
    trivial = stack.enter_context(_trivial(options))
    yield operations.document(BARE, trivial, "/wsgi")
    yield operations.document(VIEW, trivial, "/view")
    data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kairos-bench-")))
    environ = kairos.environment(data_dir, database=database.url, redis=redis, threads=options.threads)
    threads = ("--threads", str(options.threads))
    ours = stack.enter_context(kairos.running(environ, workers=options.workers, options=threads))
    time.sleep(2)
    print(f"idle memory: {processes.memory_mib(ours.pids()):.0f} MiB (PSS, all {len(ours.pids())} processes of the web server)")
    yield from kairos.all_operations(environ, ours)
    if options.peers:
        from tests.bench.peers import peers

        yield from peers.start(stack, database=database, workers=options.workers, threads=options.threads)


def _is_chosen(operation: Operation, options: argparse.Namespace) -> bool:
    only, skip = ([word.strip().lower() for word in words.split(",") if word.strip()] for words in (options.only, options.skip))
    name = f"{operation.provider.name}: {operation.name}".lower()
    return (not only or any(word in name for word in only)) and not any(word in name for word in skip)


@contextmanager
def _trivial(options: argparse.Namespace) -> Iterator[Provider]:
    port = servers.free_port()
    command = [sys.executable, "-m", "tests.bench.trivial", str(port), str(options.workers), str(options.threads)]
    with servers.child("trivial", command, environ=servers.child_environ()) as server:
        server.wait_until(lambda: servers.listens(port))
        yield Provider("-", port, server.pids, {"Host": "localhost"}, {}, database=False)


def _key(operation: Operation) -> tuple[str, str]:
    return operation.provider.name, operation.name


@dataclass
class Bench:
    """Runs rounds against the private database cluster `database`."""

    database: servers.Server
    options: argparse.Namespace
    # Requests per second so far: how many inputs to make for a round. One that runs out of them ends early, which does no harm.
    rates: dict[tuple[str, str], float] = field(default_factory=dict)

    def statements(self, operation: Operation, *, requests: int = 40) -> tuple[float, float]:
        """Statements per request and, of these, transaction control; read from the database's own log. Also warms up."""
        if operation.prepare:
            operation.prepare(3 * requests)
        self._load(operation, seconds=5, most=requests)
        if operation.prepare:
            operation.prepare(2 * requests)
        self._log_statements("all")
        before = len(self.database.log)
        # One connection: some of the prepared inputs may be left, none may be missing.
        done = self._load(operation, seconds=10, most=requests, connections=1)
        self.rates[_key(operation)] = 2 * done.count / done.seconds
        time.sleep(0.2)
        found = [
            line.partition(": ")[2] for line in self.database.log[before:].splitlines() if ("statement: " in line or "execute " in line)
        ]
        self._log_statements("none")
        # What other connections do meanwhile (the peers' idle work, this program's own reload) is not the request's.
        found = [text for text in found if "pg_reload_conf" not in text and "ALTER SYSTEM" not in text]
        control = sum(text.strip().upper().endswith(("BEGIN", "COMMIT", "ROLLBACK")) for text in found)
        return len(found) / max(1, done.count), control / max(1, done.count)

    def round(self, operation: Operation) -> Round:
        """One bounded round."""
        if operation.prepare:
            operation.prepare(min(operation.most, 50 + int(1.3 * self.rates.get(_key(operation), 500) * self.options.seconds)))
            time.sleep(0.1)
        pids, database = operation.provider.pids(), self.database.pids()
        before, before_database = processes.cpu_seconds(pids), processes.cpu_seconds(database)
        done = self._load(operation, seconds=self.options.seconds, most=operation.most)
        self.rates[_key(operation)] = done.count / done.seconds
        used = processes.cpu_seconds(pids) - before
        used_database = processes.cpu_seconds(self.database.pids()) - before_database
        if done.refused:
            raise SystemExit(f"{operation.name}: {done.refused} of {done.count} answers were not {operation.status}:\n{done.example}")
        count = max(1, done.count)
        return Round(
            per_second=count / done.seconds,
            p50=1000 * done.quantile(0.5),
            p99=1000 * done.quantile(0.99),
            cpu=1000 * used / count,
            cpu_database=1000 * used_database / count if operation.provider.database else 0.0,
            refused=done.refused,
        )

    def _load(self, operation: Operation, *, seconds: float, most: int, connections: int | None = None) -> load.Load:
        return operation.provider.load(
            operation.source,
            status=operation.status,
            connections=connections or operation.connections or self.options.connections,
            seconds=seconds,
            most=most,
        )

    def _log_statements(self, what: str) -> None:
        import psycopg

        with psycopg.connect(self.database.url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{what}'")
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)


def _report(
    chosen: list[Operation], rounds: dict, statements: dict, options: argparse.Namespace, *, redis: str | None, database: servers.Server
) -> None:
    middle = {key: {name: median(getattr(one, name) for one in those) for name in asdict(those[0])} for key, those in rounds.items()}
    view = next(value for key, value in middle.items() if key[1] == VIEW)
    print(f"\n{_machine()}")
    print(
        f"{options.rounds} rounds x {options.seconds:g} s, {options.connections} connections, {options.workers} process(es) x "
        f"{options.threads} threads, PostgreSQL with fsync, {'Redis' if redis else 'no Redis'}; medians. CPU in ms per request."
    )
    print(f"Password sign-in: {_argon2(database)} (m in KiB, t passes, p lanes)\n")
    print("| operation | req/s | p50 ms | p99 ms | CPU ms | CPU PostgreSQL | SQL (+ BEGIN, COMMIT) | req/s : view | CPU : view |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    several = len({one.provider.name for one in chosen}) > 2
    for one in chosen:
        row, counted = middle[_key(one)], statements.get(_key(one))
        sql = f"{counted[0] - counted[1]:.1f} (+ {counted[1]:.1f})" if counted and one.provider.database else ""
        name = f"{one.provider.name}: {one.name}" if several and one.provider.name != "-" else one.name
        print(
            f"| {name} | {row['per_second']:,.0f} | {row['p50']:.1f} | {row['p99']:.1f} | {row['cpu']:.2f} | {row['cpu_database']:.2f} "
            f"| {sql} | {row['per_second'] / view['per_second']:.2f} | {row['cpu'] / view['cpu']:.2f} |"
        )
    if several:
        _report_ratios(chosen, middle)
    if options.json:
        found = [{"provider": one.provider.name, "name": one.name, **middle[_key(one)]} for one in chosen]
        options.json.write_text(json.dumps(found, indent=1))


def _report_ratios(chosen: list[Operation], middle: dict[tuple[str, str], dict[str, float]]) -> None:
    """Our rows against the same operation of each peer: CPU of server and database together, and requests per second."""

    def what(name: str) -> str:  # their access tokens are opaque in the flows of a person
        return name.replace("opaque access", "ES256 access")

    ours = [one for one in chosen if one.provider.name == kairos.NAME]
    peers = list(dict.fromkeys(one.provider.name for one in chosen if one.provider.name not in ("-", kairos.NAME)))
    print(
        "\nMore is better for us: their CPU per request (server and PostgreSQL) divided by ours / our requests per second divided by theirs.\n"
    )
    print("| operation | " + " | ".join(peers) + " |")
    print("| --- |" + " ---: |" * len(peers))
    for one in ours:
        mine, cells = middle[_key(one)], []
        for peer in peers:
            theirs = next((middle[_key(other)] for other in chosen if other.provider.name == peer and what(other.name) == one.name), None)
            cells.append("" if theirs is None else f"{_cost(theirs) / _cost(mine):.2f} / {mine['per_second'] / theirs['per_second']:.2f}")
        if any(cells):
            print(f"| {one.name} | " + " | ".join(cells) + " |")


def _cost(row: dict[str, float]) -> float:
    return max(0.001, row["cpu"] + row["cpu_database"])


def _argon2(database: servers.Server) -> str:
    import psycopg

    with psycopg.connect(database.url) as connection:
        row = connection.execute("SELECT split_part(password, '$', 2) || ' ' || split_part(password, '$', 4) FROM accounts_user").fetchone()
    return row[0] if row else "nobody"


def _machine() -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    model = next((line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    cores = len(__import__("os").sched_getaffinity(0))
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"{today}, commit {commit}, {cores} cores of {model or platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
