"""`manage.py deliveries`."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from idp.events.models import Delivery
from idp.notifications import delivery
from idp.notifications.receivers import Refused

from .conftest import Probe

Put = Callable[..., Delivery]


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("deliveries", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def dead(waiting: Put, probe: Probe) -> Delivery:
    row = waiting(text="canary-918273", seconds=600)
    probe.raises(Refused("recipient refused (550)"))
    delivery.deliver_due()
    probe.answer = lambda: None
    return row


@pytest.mark.django_db
def test_a_dead_message_is_seen_and_sent_again(dead: Delivery, waiting: Put, probe: Probe) -> None:
    other = waiting(text="canary-918273")
    listed = run("list")["deliveries"]
    assert [(row["id"], row["state"]) for row in listed] == [(str(other.pk), "waiting"), (str(dead.pk), "dead")]
    assert "canary" not in json.dumps(listed)
    assert run("show", str(dead.pk))["last_error"] == "recipient refused (550)"
    assert run("retry", str(dead.pk)) == {"due": 1}
    delivery.deliver_due()
    assert {row["state"] for row in run("list")["deliveries"]} == {"done"}
    assert run("list", "--state", "dead") == {"deliveries": []}


@pytest.mark.django_db
def test_all_dead_ones_at_once(dead: Delivery, probe: Probe) -> None:
    assert run("retry", "--dead") == {"due": 1}
    assert run("retry", "--dead") == {"due": 0}


@pytest.mark.django_db
def test_what_cannot_be_sent_again_says_so_in_one_line(dead: Delivery, waiting: Put) -> None:
    Delivery.objects.filter(pk=dead.pk).update(payload="")
    for unknown in (dead.pk, waiting().pk, uuid.uuid4()):
        with pytest.raises(CommandError, match="under way, has expired, or does not exist"):
            run("retry", str(unknown))
    with pytest.raises(CommandError, match="no delivery"):
        run("show", str(uuid.uuid4()))
    with pytest.raises(CommandError):
        run("show", "canary")


@pytest.mark.django_db
def test_for_people_it_is_one_line_per_message(dead: Delivery) -> None:
    out = io.StringIO()
    call_command("deliveries", "list", stdout=out)
    assert out.getvalue().count("\n") == 1
    assert "dead, attempts: 1  (recipient refused (550))" in out.getvalue()
