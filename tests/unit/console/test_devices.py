"""Where a person is signed in, and ending that."""

from __future__ import annotations

import pytest
from django.test import Client

from idp.console import devices
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"


@pytest.fixture
def two_browsers(person):
    browsers = Client(headers={"user-agent": FIREFOX}), Client(headers={"user-agent": IPHONE})
    for browser in browsers:
        assert browser.post("/login", {"login": person.email, "password": PASSWORD}).status_code == 302
    return browsers


def test_one_other_session_is_ended_and_recorded(two_browsers, person):
    here, there = two_browsers
    page = here.get("/account/sessions").content.decode()
    assert "Firefox on Linux" in page
    assert "Safari on iPhone" in page
    sid = next(device.sid for device in devices.of_person(person, here="") if "iPhone" in device.browser)
    here.post("/account/sessions", {"decision": "end", "sid": sid})
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200
    assert EventRecord.objects.filter(name="session.ended", person=person.pk).count() == 1


def test_all_others_are_ended(two_browsers, person):
    here, there = two_browsers
    there.post("/account/sessions", {"decision": "end-others"})
    assert here.get("/account").status_code == 302
    assert [device.browser for device in devices.of_person(person, here="")] == ["Safari on iPhone"]


@pytest.mark.parametrize("sid", ["", "unknown", "\x00", "x" * 5000])
def test_what_is_no_session_of_mine_ends_nothing(two_browsers, person, sid):
    here, _ = two_browsers
    assert here.post("/account/sessions", {"decision": "end", "sid": sid}).status_code in (302, 400)
    assert len(devices.of_person(person, here="")) == 2
