"""Mails about accounts: what they say, and what strangers cannot make them say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from idp.accounts import mail
from idp.kernel import context
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
TEMPLATES: dict[str, dict[str, Any]] = {
    "verify_code": {"code": "123456", "link": "http://localhost:8000/signup/verify?code=123456", "minutes": 15},
    "already_registered": {},
    "recovery": {"link": "http://localhost:8000/password/reset?token=x", "code": "123456", "minutes": 60},
    "sign_in_link": {"link": "http://localhost:8000/login/code?link=x", "code": "123456", "minutes": 15},
    "sign_in_unknown": {},
    "recovery_unknown": {},
    "password_changed": {},
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_says_who_where_when_and_what_if_it_was_not_you(template, settings):
    settings.IDP = settings.IDP.model_copy(update={"brand_name": "Ana & Söhne", "help_url": "https://example.org/help"})
    origin = context.RequestContext(ip="192.0.2.7", user_agent="Mozilla/5.0 (Windows NT 10.0; rv:131.0) Gecko/20100101 Firefox/131.0")
    token = context.enter(origin)
    try:
        mail.send(to="ana@example.org", template=template, **TEMPLATES[template])
    finally:
        context.leave(token)
    [sent] = mails()
    assert sent.to == "ana@example.org"
    assert "Ana & Söhne" in sent.subject
    assert "\n" not in sent.subject
    for body in (sent.text, sent.html):
        assert "Firefox on Windows" in body
        assert "192.0.2.7" in body
        assert re.search(r"\d{1,2} \w+ \d{4}, \d\d:\d\d UTC", body)
        assert "If it was not you" in body
        assert "{" not in re.sub(r"<style>.*?</style>", "", body, flags=re.DOTALL)
    assert "&amp;" not in sent.text + sent.subject
    assert "prefers-color-scheme: dark" in sent.html
    assert "<script" not in sent.html
    assert not re.findall(r'(?:src|background)="', sent.html)  # nothing is loaded, nobody is tracked
    assert {link.split("/")[2] for link in re.findall(r'https?://[^"\s<]+', sent.text)} == {"localhost:8000"}


def test_a_header_cannot_write_into_somebodys_mail(person):
    browser = Client(headers={"User-Agent": "Click http://evil.example to win Firefox/1 Windows"})
    browser.post("/password/forgot", {"email": "ada@example.org"})
    [sent] = mails()
    assert "evil" not in sent.text + sent.html
    assert "Firefox on Windows" in sent.text


def test_a_command_has_no_address_to_tell(person):
    mail.send(to="ana@example.org", template="password_changed")
    assert "from the address" not in mails()[0].text


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("", ""),
        ("curl/8.0", ""),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on Mac"),
    ],
)
def test_devices_in_words(user_agent, words):
    assert mail.device(user_agent) == words


def test_what_allauth_mails_leaves_through_the_outbox_too(rf, person):
    from allauth.account.adapter import get_adapter
    from allauth.core import context as allauth_context

    request = rf.get("/")
    with allauth_context.request_context(request):
        get_adapter(request).send_mail(
            "account/email/password_changed", "ada@example.org", {"user": person, "timestamp": None, "ip": "192.0.2.7"}
        )
    [sent] = mails("ada@example.org")
    assert sent.subject.startswith("[Kairos ID] ")
    assert sent.text


def test_none_of_allauths_own_pages_is_served(client):
    for path in ("/accounts/login/", "/accounts/password/set/", "/password/set/", "/accounts/signup/", "/accounts/email/"):
        assert client.get(path).status_code == 404
