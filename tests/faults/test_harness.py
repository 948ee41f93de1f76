"""The short run of the fault harness: random kills over a whole site, and the ledger afterwards (RC-01, RC-02, RC-03).

`make faults` is the long one; figures are in docs/reliability.md. Hostile cases EV-02, EV-03, FT-02, FT-07, FT-10.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.faults.long import storm
from tests.faults.site import site

pytestmark = [pytest.mark.needs("redis", "postgresql"), pytest.mark.postgresql, pytest.mark.slow]


def test_random_kills_lose_invent_and_disorder_nothing() -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**6))
    print(f"FAULT_SEED={seed}")
    began = time.monotonic()
    with site(masters=1, workers=2, failpoints="before_send:0.01,after_send:0.01,before_close:0.005,after_claim:0.005") as here:
        print(f"started after {time.monotonic() - began:.0f} s")
        found = storm(here, seed, kills=8, clients=8, hurry=True)
        print(f"done after {time.monotonic() - began:.0f} s: {found}")
    assert found["kills"] >= 8
    assert found["acknowledged"] >= 5  # a loaded machine answers little between the kills
    assert {name: found[name] for name in ("lost", "invented", "out_of_order", "other_bytes", "twice", "gaps", "different", "dead")} == {
        "lost": 0,
        "invented": 0,
        "out_of_order": 0,
        "other_bytes": 0,
        "twice": 0,
        "gaps": 0,
        "different": 0,
        "dead": 0,
    }
