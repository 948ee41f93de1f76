"""The long run of the fault harness: `make faults`, or `python -m tests.faults.long storm order latency …` for some of it.

Prints one JSON object per scenario. A run that finds something exits with 1 and names the seed; `--seed` repeats it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import redis as redis_client

from tests.faults import canaries, once
from tests.faults.ledger import Client, Ledger, check
from tests.faults.proxy import Mode
from tests.faults.site import CANARY, Killer, Site, site

FAILURES = {"fail": 0.05, "slow": 0.05, "reset": 0.01}
FAILPOINTS = "after_outbox_insert:0.001,after_claim:0.003,before_send:0.005,after_send:0.005,before_close:0.002"
EMAIL, PASSWORD = "ada@example.org", f"{CANARY} correct horse"


def storm(
    here: Site, seed: int, *, kills: int, clients: int = 20, recovery: float = 200, ledger: Ledger | None = None, hurry: bool = False
) -> dict[str, Any]:
    """RC-01, RC-02: clients change accounts while something is killed every 0.5 to 2 s and the Agent fails; then everything must be there.

    With `hurry` nobody waits for the pauses before further attempts at the end; leases run as long as they do.
    """
    ledger = ledger or Ledger()
    here.agent("PUT", "/switches", seed=seed, **FAILURES)
    here.failpoints(on=True)
    running = [Client(here, ledger, f"{seed}:{number}", pace=0.02) for number in range(clients)]
    for client in running:
        client.start()
    killer = Killer(here, seed, kills=kills)
    killer.run()  # in this thread: what it starts gets a signal when the thread that started it ends
    for client in running:
        client.halt.set()
    for client in running:
        client.join(30)
    if killer.error:
        raise killer.error
    here.failpoints(on=False)
    here.ensure()
    here.agent("PUT", "/switches", fail=0, slow=0, reset=0)
    recovered = here.drained(seconds=recovery, hurry=hurry)
    verdict = check(here, ledger)
    return {
        "seed": seed,
        "kills": sum(killer.counts.values()),
        "killed": killer.counts,
        "recovered_after_seconds": round(recovered, 1),
        **{name: len(value) if isinstance(value, list) else value for name, value in vars(verdict).items()},
        "examples": [*verdict.lost[:3], *verdict.invented[:3], *verdict.out_of_order[:3], *verdict.different[:3]],
        "clean": verdict.clean,
    }


def storms(options: argparse.Namespace) -> dict[str, Any]:
    """Many seeds on one site; the ledger grows from seed to seed, and everything is checked each time."""
    results = []
    ledger = Ledger()
    with site(masters=2, workers=2, failpoints=FAILPOINTS) as here:
        for seed in range(options.seed, options.seed + options.seeds):
            found = storm(here, seed, kills=options.kills, ledger=ledger)
            results.append(found)
            print(json.dumps(found), file=sys.stderr, flush=True)
            if not found["clean"]:
                break
    killed: dict[str, int] = {}
    for one in results:
        for name, count in one["killed"].items():
            killed[name] = killed.get(name, 0) + count
    recoveries = [one["recovered_after_seconds"] for one in results]
    return {
        **{
            name: results[-1][name]
            for name in results[-1]
            if name not in ("seed", "killed", "kills", "recovered_after_seconds", "examples")
        },
        "seeds": len(results),
        "kills": sum(killed.values()),
        "killed": killed,
        "recovery_seconds_median": statistics.median(recoveries),
        "recovery_seconds_worst": max(recoveries),
    }


def order(options: argparse.Namespace) -> dict[str, Any]:
    """RC-03: 50 people with 40 parallel changes each, 4 relays with 8 slots, an Agent that fails; one person is blocked."""
    with site(masters=2, workers=2) as here:
        ledger = Ledger()
        subs = []
        for number in range(51):
            answer = here.change(here.web_ports[0], do="create", email=f"p{number}@example.org")
            ledger.note(answer)
            assert answer
            subs.append(answer["sub"])
        here.drained(seconds=60)
        here.agent("PUT", "/block", sub=subs[0], status=500)
        here.agent("PUT", "/switches", seed=options.seed, **FAILURES)

        def one(number: int) -> None:
            sub = subs[number % 51]
            answer = here.change(here.web_ports[number % 2], do="profile", sub=sub, values={"allergies": [f"a{number}"]})
            ledger.note(answer)

        began = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(one, range(51 * 40)))
        changed = time.monotonic() - began
        here.agent("PUT", "/switches", fail=0, slow=0, reset=0)
        blocked_waits = _wait(
            lambda: here.sql("SELECT count(*) FROM events_delivery WHERE state = 'waiting' AND person <> %s", subs[0])[0][0] == 0, 180
        )
        here.agent("PUT", "/block", sub=subs[0], status=0)
        here.sql("UPDATE events_lane SET due_at = now() WHERE owner = ''")
        here.drained(seconds=120)
        verdict = check(here, ledger)
        return {
            "people": 51,
            "changes": 51 * 40,
            "seconds_of_changes": round(changed, 1),
            "others_done_after_seconds": round(blocked_waits, 1),
            **{name: len(value) if isinstance(value, list) else value for name, value in vars(verdict).items()},
            "clean": verdict.clean,
        }


def latency(options: argparse.Namespace) -> dict[str, Any]:
    """RC-04: from the acknowledged change to the Agent at 50 changes a second, a backlog, and signing in meanwhile."""
    with site(masters=2, workers=2) as here:
        subs = [(here.change(here.web_ports[0], do="create", email=f"p{number}@example.org") or {})["sub"] for number in range(60)]
        _person(here)
        here.drained(seconds=60)
        acknowledged: dict[str, float] = {}
        lock = threading.Lock()
        rate, seconds = 50, 20

        def one(number: int) -> None:
            time.sleep(max(0, began + number / rate - time.monotonic()))
            answer = here.change(here.web_ports[number % 2], do="profile", sub=subs[number % 60], values={"allergies": [f"a{number}"]})
            if answer:
                with lock:
                    acknowledged[answer["event"]] = time.time()

        began = time.monotonic()
        with ThreadPoolExecutor(30) as pool:
            list(pool.map(one, range(rate * seconds)))
        lasted = time.monotonic() - began
        here.drained(seconds=60)
        arrived = {call["key"]: call["at"] for call in here.agent()["calls"] if call["first"]}
        delays = sorted(max(0.0, arrived[event] - moment) for event, moment in acknowledged.items())
        quiet = _sign_ins(here, seconds=30, clients=10)
        _pile(here, options.backlog)
        drain_began, before = time.monotonic(), here.left()
        here.sql("UPDATE events_lane SET due_at = now()")
        busy = _sign_ins(here, seconds=30, clients=10)
        left = here.left()
        drained = before - left
        drain_seconds = time.monotonic() - drain_began
        alone_began, alone_before = time.monotonic(), here.left()
        here.drained(seconds=60 + alone_before / 20)
        alone = alone_before / (time.monotonic() - alone_began)
        return {
            "changes_per_second": round(len(acknowledged) / lasted, 1),
            "latency_seconds_p50": round(_quantile(delays, 0.5), 3),
            "latency_seconds_p99": round(_quantile(delays, 0.99), 3),
            "backlog": before,
            "drained_per_second_beside_sign_ins": round(drained / drain_seconds, 1),
            "drained_per_second": round(alone, 1),
            "sign_in_p99_quiet": quiet["p99"],
            "sign_in_p99_draining": busy["p99"],
            "sign_ins_quiet": quiet,
            "sign_ins_draining": busy,
        }


def _pile(here: Site, count: int) -> None:
    """A backlog as an Agent that was away leaves it: events, deliveries and lanes of many people, put in by SQL."""
    here.sql(
        """
        DO $$ BEGIN
        CREATE TEMPORARY TABLE pile ON COMMIT DROP AS
            SELECT gen_random_uuid() AS person, n,
                   (substr(stamp, 1, 8) || '-' || substr(stamp, 9, 4) || '-7' || substr(md5(n::text), 1, 3) || '-8' || substr(md5(n::text), 4, 3)
                    || '-' || substr(md5(n::text), 7, 12))::uuid AS event
            FROM generate_series(1, COUNT) n, (SELECT lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') AS stamp) s;
        INSERT INTO accounts_user (id, password, short_password, email, email_verified_at, claims, is_active, is_staff, is_superuser, date_joined,
            updated_at, terms_version, credential_epoch)
            SELECT person, '!', false, 'pile' || n || '@example.org', now(), '{}', true, false, false, now(), now(), '', 0 FROM pile;
        INSERT INTO events_personsequence SELECT person, 1 FROM pile;
        INSERT INTO events_eventrecord (id, stream, name, person, client_id, at, ip, user_agent, request_id, data, sequence)
            SELECT event, 'account', 'account.verified', person, '', now(), '', '', '', '{}', 1 FROM pile;
        INSERT INTO events_delivery (id, receiver, target, event, name, person, lane, sequence, payload, state, attempts, due_at, lease_owner,
            last_error, log, created_at, waiting_since)
            SELECT gen_random_uuid(), 'agent', '', event, 'account.verified', person, person, 1, '', 'waiting', 0, now(), '', '', '[]', now(), now()
            FROM pile;
        INSERT INTO events_lane (receiver, target, key, priority, due_at, owner, version)
            SELECT 'agent', '', person, 1, now() + interval '1 hour', '', 1 FROM pile;
        END $$
        """.replace("COUNT", str(int(count)))
    )
    here.sql("ANALYZE")


def _person(here: Site, count: int = 20) -> None:
    for number in range(count):
        assert here.change(here.web_ports[0], do="create", email=_email(number), password=PASSWORD)


def _email(number: int) -> str:
    return EMAIL.replace("@", f"{number or ''}@")


def _sign_in(here: Site, number: int) -> float:
    """A person signs in by the pages; seconds. Raises for anything but success."""
    began = time.monotonic()
    browser = here.browser()
    page = browser.get("/login")
    answer = browser.submit(page, button="login-submit", login=_email(number), password=PASSWORD)
    assert answer.status in (302, 303), answer.status
    return time.monotonic() - began


def _sign_ins(here: Site, *, seconds: float, clients: int = 4) -> dict[str, Any]:
    """So many people sign in again and again, a second and a half apart; how many sign-ins, how many failed, how long they took."""
    times: list[float] = []
    failures: list[str] = []
    until = time.monotonic() + seconds

    def loop(number: int) -> None:
        time.sleep(1.5 * number / clients)
        while time.monotonic() < until:
            try:
                times.append(_sign_in(here, number))
            except Exception as error:  # noqa: BLE001  whatever went wrong, the person did not get in
                failures.append(f"{type(error).__name__}: {error}"[:120])
            time.sleep(1.5)

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(times)
    return {
        "count": len(times),
        "failed": len(failures),
        "example": failures[0] if failures else "",
        "p50": round(_quantile(ordered, 0.5), 3),
        "p99": round(_quantile(ordered, 0.99), 3),
    }


def broker(options: argparse.Namespace) -> dict[str, Any]:
    """RC-08: Redis stopped, killed, flushed and full while people sign in."""
    found: dict[str, Any] = {}
    with site(masters=2, workers=1) as here:
        _person(here)
        part = here.parts["redis"]
        client = redis_client.Redis.from_url(here.redis_url, socket_timeout=2)

        @contextmanager
        def stopped() -> Iterator[None]:
            assert part.process
            part.process.send_signal(signal.SIGSTOP)
            yield
            part.process.send_signal(signal.SIGCONT)

        @contextmanager
        def killed() -> Iterator[None]:
            part.kill()
            yield
            part.ensure()

        @contextmanager
        def flushed() -> Iterator[None]:
            client.flushall()
            yield
            client.flushall()

        @contextmanager
        def full() -> Iterator[None]:
            client.config_set("maxmemory", "1")
            yield
            client.config_set("maxmemory", "0")

        _sign_ins(here, seconds=4)
        found["normal"] = _sign_ins(here, seconds=options.seconds, clients=20)
        for fault in (stopped, killed, flushed, full):
            with fault():
                found[fault.__name__] = _sign_ins(here, seconds=options.seconds, clients=20)
                answer = here.change(here.web_ports[0], do="create", email=f"{fault.__name__}@example.org")
                found[fault.__name__]["change_accepted"] = answer is not None
        here.ensure()
        found["events_delivered_after_seconds"] = round(here.drained(seconds=90), 1)
        found["clean"] = all(
            found[name]["failed"] == 0 and found[name]["change_accepted"] for name in ("stopped", "killed", "flushed", "full")
        )
    return found


def database(options: argparse.Namespace) -> dict[str, Any]:
    """RC-09: PostgreSQL stopped at once (`immediate`) at random moments under load; the ledger afterwards."""
    dice = random.Random(options.seed)
    back, answers, slowest, public = [], [], 0.0, 0
    with site(masters=2, workers=1) as here:
        ledger = Ledger()
        clients = [Client(here, ledger, f"db:{number}", pace=0.02) for number in range(8)]
        for client in clients:
            client.start()
        for _ in range(options.stops):
            time.sleep(dice.uniform(0.5, 2.0))
            part = here.parts["postgresql"]
            part.stop(signal.SIGQUIT, seconds=10)  # pg_ctl stop -m immediate
            began = time.monotonic()
            page = here.browser(here.web_ports[0])
            for _ in range(3):
                asked = time.monotonic()
                status, headers, _body = page.send(_get("/login"))
                slowest = max(slowest, time.monotonic() - asked)
                answers.append((status, any(name.lower() == "retry-after" for name, _ in headers)))
                public += all(page.send(_get(path))[0] == 200 for path in ("/jwks", "/.well-known/openid-configuration"))
            part.ensure()
            began = time.monotonic()
            _wait(lambda: all(here.browser(port).send(_get("/readyz"))[0] == 200 for port in here.web_ports), 30)
            back.append(time.monotonic() - began)
        for client in clients:
            client.halt.set()
        for client in clients:
            client.join(30)
        recovered = here.drained(seconds=90)
        verdict = check(here, ledger)
    return {
        "stops": options.stops,
        "answers_while_away": {str(one): answers.count(one) for one in sorted(set(answers))},
        "slowest_answer_seconds": round(slowest, 2),
        "keys_and_discovery_answered": f"{public} of {len(answers)}",
        "ready_again_after_seconds_worst": round(max(back), 1),
        "recovered_after_seconds": round(recovered, 1),
        **{name: len(value) if isinstance(value, list) else value for name, value in vars(verdict).items()},
        "clean": verdict.clean and all(status == 503 and later for status, later in answers) and slowest <= 2,
    }


def outside(options: argparse.Namespace) -> dict[str, Any]:
    """RC-10: SMTP and Agent swallowed, slow and refusing while people sign in; mail and events leave afterwards."""
    found: dict[str, Any] = {}
    with site(masters=2, workers=2) as here:
        _person(here)
        _sign_ins(here, seconds=4)
        found["normal"] = _sign_ins(here, seconds=options.seconds, clients=20)
        sent = 0
        faults: tuple[tuple[str, Mode, float], ...] = (("swallowed", "swallow", 0.0), ("slow", "pass", 30.0), ("refused", "cut", 0.0))
        for name, mode, delay in faults:
            here.agent_proxy.set(mode, delay=delay)
            here.mail_proxy.set(mode, delay=delay)
            for number in range(10):
                here.change(here.web_ports[0], do="create", email=f"{name}{number}@example.org")
            sent += _ask_for_mail(here, 5)
            found[name] = _sign_ins(here, seconds=options.seconds, clients=20)
        here.agent_proxy.set()
        here.mail_proxy.set()
        began = time.monotonic()
        mail = _wait(lambda: len({one[0] for one in here.mailbox.took}) >= sent, 300)
        here.drained(seconds=300)
        found |= {
            "mails": sent,
            "mail_left_after_seconds": round(mail, 1),
            "events_left_after_seconds": round(time.monotonic() - began, 1),
            "clean": all(found[name]["failed"] == 0 for name in ("swallowed", "slow", "refused")),
        }
    return found


def _ask_for_mail(here: Site, count: int) -> int:
    """The page for a forgotten password; each address of its own, so that no limit of an address is met."""
    asked = 0
    for _ in range(count):
        browser = here.browser()
        address = f"nobody{random.randrange(10**9)}@example.org"
        answer = browser.submit(browser.get("/password/forgot"), button="forgot-submit", email=address)
        asked += answer.status in (200, 302, 303)
    return asked


def single_use(options: argparse.Namespace) -> dict[str, Any]:
    """RC-05 over HTTP: many hands at the same moment with one thing that counts once, against four processes."""
    with site(masters=2, workers=1, failpoints="before_answer:0.25") as here:
        return once.rounds(here, options.rounds, lambda text: print(text, file=sys.stderr, flush=True), deaths=options.deaths)


def secrets_kept(options: argparse.Namespace) -> dict[str, Any]:
    """RC-18: canaries in every secret, everything at level DEBUG: none in logs, Redis, task arguments, or the database's plain text."""
    with site(masters=2, workers=1, level="DEBUG", **canaries.ENVIRON) as here:
        return canaries.search(here)


def _get(path: str) -> Any:
    from tests.support.browser import Sent

    return Sent("GET", path, {})


def _wait(holds: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while True:
        try:
            if holds():
                return time.monotonic() - began
        except OSError:
            pass
        assert time.monotonic() - began < seconds, "did not happen in time"
        time.sleep(0.1)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


SCENARIOS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "storm": storms,
    "order": order,
    "latency": latency,
    "once": single_use,
    "redis": broker,
    "postgresql": database,
    "outside": outside,
    "secrets": secrets_kept,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=20, help="storm: so many seeds, from --seed on")
    parser.add_argument("--kills", type=int, default=11, help="storm: kills per seed, without those by failpoints")
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15, help="redis, outside: of each fault")
    parser.add_argument("--stops", type=int, default=20, help="postgresql")
    parser.add_argument("--rounds", type=int, default=100, help="once")
    parser.add_argument("--deaths", type=int, default=10, help="once: rounds in which the winner dies before it answers")
    options = parser.parse_args()
    failed = False
    for name in options.scenarios or SCENARIOS:
        began = time.monotonic()
        found = SCENARIOS[name](options)
        print(json.dumps({"scenario": name, "seed": options.seed, "took_seconds": round(time.monotonic() - began), **found}), flush=True)
        failed = failed or found.get("clean") is False
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
