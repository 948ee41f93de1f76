from __future__ import annotations

import time

from idp.events.identifiers import ordered


def test_it_is_a_version_7_uuid_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    identifier = ordered()
    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"
    assert before <= identifier.int >> 80 <= time.time_ns() // 1_000_000


def test_later_ones_sort_later() -> None:
    made = []
    for _ in range(50):
        made.append(ordered())
        time.sleep(0.000_01)
    assert made == sorted(made)
    assert len(set(made)) == 50
