"""The development inbox shows mail as it looks, and lets nothing in it act."""

from __future__ import annotations

from playwright.sync_api import expect

from .conftest import PASSWORD, Complaints, faults, overflow

TO = "reader@example.org"


def test_a_mail_appears_for_people_and_for_scripts(visit, provider):
    page = visit("/signup")
    page.fill("#id_email", TO)
    page.fill("#id_password", PASSWORD)
    page.click("#signup-submit")
    mail = provider.wait_for_mail(TO)
    assert set(mail) >= {"subject", "text", "html", "links", "to", "date"}
    assert mail["to"] == TO
    complaints = Complaints()
    complaints.watch(page)
    page.goto(f"/dev/inbox?to={TO}")
    expect(page.locator("article h2")).to_have_text(mail["subject"])
    frame = page.frame_locator("article iframe")
    expect(frame.locator("body")).to_contain_text("Kairos ID")
    assert faults(page) == ""
    assert complaints == []
    page.set_viewport_size({"width": 320, "height": 600})
    assert overflow(page) == 0


def test_an_empty_inbox_says_so(visit):
    page = visit("/dev/inbox?to=nobody@example.org")
    expect(page.locator("main")).to_contain_text("No mail yet.")
    assert faults(page) == ""
