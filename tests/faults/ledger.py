"""Clients that change accounts and remember what was acknowledged, and the check afterwards: acknowledged <= delivered <= committed."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .site import Site

FACTS = "('account.verified', 'profile.changed', 'account.erased')"


@dataclass
class Ledger:
    """What clients asked for. Every entry: (event id or None, acknowledged)."""

    asked: int = 0
    acknowledged: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: dict[str, Any] | None, *, event: bool = True) -> None:
        with self.lock:
            self.asked += 1
            if answer is not None and event and answer["event"]:
                self.acknowledged.add(answer["event"])


class Client(threading.Thread):
    """Signs people up, changes, disables and erases them, one after the other, until told to stop."""

    def __init__(self, site: Site, ledger: Ledger, seed: str, *, pace: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.site, self.ledger, self.dice, self.pace = site, ledger, random.Random(seed), pace
        self.halt = threading.Event()

    def run(self) -> None:
        people: list[str] = []
        while not self.halt.is_set():
            port = self.dice.choice(self.site.web_ports)
            do = self.dice.choices(["create", "allergies", "other", "disable", "erase"], [4, 8, 5, 1, 1])[0] if people else "create"
            if do == "create":
                answer = self.site.change(port, do="create", email=f"{secrets.token_hex(8)}@example.org")
                self.ledger.note(answer)
                if answer:
                    people.append(answer["sub"])
            else:
                sub = self.dice.choice(people)
                word = secrets.token_hex(4)
                if do == "allergies":
                    answer = self.site.change(port, do="profile", sub=sub, values={"allergies": [word]})
                elif do == "other":
                    answer = self.site.change(port, do="profile", sub=sub, values={"preferences": {"diet": word}, "nickname": word})
                elif do == "disable":
                    answer = self.site.change(port, do=self.dice.choice(["disable", "enable"]), sub=sub)
                else:
                    answer = self.site.change(port, do="erase", sub=sub)
                    people.remove(sub)
                self.ledger.note(answer, event=do != "disable")
            if answer is None:
                time.sleep(0.1)
            time.sleep(self.pace)


@dataclass
class Verdict:
    """What the check found; the lists must be empty."""

    asked: int = 0
    acknowledged: int = 0
    committed: int = 0
    delivered: int = 0
    superseded: int = 0
    calls: int = 0
    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    other_bytes: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    dead: int = 0

    @property
    def clean(self) -> bool:
        return not any((self.lost, self.invented, self.out_of_order, self.other_bytes, self.twice, self.gaps, self.different, self.dead))


def check(site: Site, ledger: Ledger) -> Verdict:
    """Compare what clients were told, what the database holds and what the Agent knows."""
    committed = {
        str(pk): (str(person), number)
        for pk, person, number in site.sql(f"SELECT id, person, sequence FROM events_eventrecord WHERE name IN {FACTS}")
    }
    states = {str(pk): state for pk, state in site.sql("SELECT event, state FROM events_delivery WHERE receiver = 'agent'")}
    found = site.agent()
    verdict = Verdict(asked=ledger.asked, acknowledged=len(ledger.acknowledged), committed=len(committed), calls=len(found["calls"]))
    first: dict[str, list[str]] = defaultdict(list)
    effects: dict[str, int] = defaultdict(int)
    digests: dict[str, set[str]] = defaultdict(set)
    delivered: set[str] = set()
    for call in found["calls"]:
        event = call["key"].partition(".")[0]
        digests[call["key"]].add(call["digest"])
        effects[call["key"]] += call["first"]
        if event not in delivered:
            delivered.add(event)
            first[call["sub"]].append(event)
    # EV-10: what an erased person's line still held is replaced by the erasure, on purpose.
    superseded = {event for event, state in states.items() if state == "expired"}
    verdict.delivered, verdict.superseded, verdict.dead = (
        len(delivered),
        len(superseded - delivered),
        sum(state == "dead" for state in states.values()),
    )
    verdict.lost = sorted((ledger.acknowledged | set(committed)) - delivered - superseded)
    verdict.invented = sorted(delivered - set(committed)) + sorted(ledger.acknowledged - set(committed))
    verdict.other_bytes = [key for key, kinds in digests.items() if len(kinds) > 1]
    verdict.twice = [key for key, count in effects.items() if count != 1]
    for sub, events in first.items():
        numbers = [committed[event][1] for event in events if event in committed]
        if numbers != sorted(numbers):
            verdict.out_of_order.append(sub)
    verdict.gaps = [
        str(person)
        for person, count, last in site.sql(
            "SELECT person, count(*), max(sequence) FROM events_eventrecord WHERE sequence IS NOT NULL GROUP BY 1"
        )
        if count != last
    ]
    people = {str(row[0]) for row in site.sql("SELECT id FROM accounts_user")}
    verdict.different = sorted(people.symmetric_difference(found["people"]))
    return verdict
