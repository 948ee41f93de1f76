"""What strangers send does not pile up in a process."""

from __future__ import annotations

import functools
import gc
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.django_db


def unbounded() -> dict[str, int]:
    """How much every cache without a limit holds: ours, Django's and the libraries'."""
    return {
        f"{one.__module__}.{one.__qualname__}": one.cache_info().currsize
        for one in gc.get_objects()
        if type(one) is functools._lru_cache_wrapper and one.cache_parameters()["maxsize"] is None
    }


def ask(client, number):
    wanted = {"client_id": f"unknown-{number}", "response_type": "code", "ui_locales": f"x{number}-Latn-{number} q{number}"}
    headers = {"accept-language": f"a{number}-B{number},c{number};q=0.{number}", "user-agent": f"Browser/{number}"}
    client.get(f"/authorize?{urlencode(wanted)}", headers=headers)
    client.get("/login", {"login_hint": f"p{number}@example.org"}, headers=headers)
    client.cookies.clear()


def test_languages_of_every_kind_take_no_more_room(client):
    """AR-22: what is kept of ui_locales, Accept-Language, addresses and browsers has a limit."""
    for number in range(5):
        ask(client, number)
    before = unbounded()
    for number in range(10, 110):
        ask(client, number)
    grown = {name: (before.get(name, 0), size) for name, size in unbounded().items() if size - before.get(name, 0) > 10}
    assert grown == {}
