"""What no page may stumble over: every input gets an answer below 500, and nothing comes back as it was sent."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGES = [
    "/login",
    "/login/code",
    "/login/code/resend",
    "/login/terms",
    "/login/disabled",
    "/signup",
    "/signup/verify",
    "/signup/verify/resend",
    "/password/forgot",
    "/password/forgot/sent",
    "/password/forgot/sent/resend",
    "/password/reset",
    "/account/password",
    "/.well-known/change-password",
]
FIELDS = [
    "login",
    "email",
    "password",
    "current",
    "code",
    "next",
    "interaction",
    "token",
    "done",
    "sent",
    "switch",
    "continue",
    "csrfmiddlewaretoken",
    "way",
    "with",
    "phone",
    "terms",
    "invitation",
    "link",
    "with_link",
    "challenge",
    "solution",
    "accept",
]
HOSTILE = {
    "nul": "a\x00b", "surrogate": "\ud800", "64 KB": "<b>" * 22_000, "markup": "<script>alert(1)</script>", "line breaks": "a\r\nSet-Cookie: x=y",
    "right to left": "\u202egro.elpmaxe", "bytes": "%zz%ff%00", "template": "{{ 7|add:7 }}{% debug %}", "sql": "' OR 1=1 --", "json": '{"a": [1]}',
    "long digits": "9" * 5000, "dashes": "-" * 300, "emoji": "🐎" * 50, "path": "../../etc/passwd",
}  # fmt: skip
FORM = "application/x-www-form-urlencoded"


def looks_right(response, sent=""):
    assert response.status_code < 500
    body = response.content.decode()
    assert "<script>alert" not in body
    assert "Traceback" not in body
    assert sent == "" or sent not in str(response.headers)


@pytest.fixture(params=["anonymous", "signed in", "signing up"])
def browser(request, person):
    client = Client()
    if request.param == "signed in":
        client.post("/login", {"login": "ada@example.org", "password": PASSWORD})
    elif request.param == "signing up":
        client.post("/signup", {"email": "new@example.org", "password": PASSWORD})
    return client


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_in_every_field(browser, name):
    sent = urlencode(dict.fromkeys(FIELDS, HOSTILE[name].encode("utf-8", "surrogatepass")))
    for path in PAGES:
        looks_right(browser.get(f"{path}?{sent[:60_000]}"))
        looks_right(browser.post(path, sent, content_type=FORM))
        looks_right(browser.post(path, urlencode({"password": HOSTILE[name].encode("utf-8", "surrogatepass")}), content_type=FORM))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"login=%zz&password=%", FORM),
        (b"login=\xff\xfe&password=\xc3\x28", FORM),
        (b"login=a&login=b&password=c&password=d&next=/x&next=//evil.example", FORM),
        (b"login=a", f"{FORM}; charset=utf-16"),
        (b'{"login": "a"}', "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"broken", "multipart/form-data"),
        (b"", ""),
        (b"&" * 5000, FORM),
        (b"=".join([b"a"] * 5000), FORM),
        (b"login=" + b"a" * 300_000, FORM),
    ],
)
def test_hostile_bodies(browser, body, content_type):
    for path in PAGES:
        response = browser.generic("POST", path, body, content_type=content_type)
        looks_right(response)
        assert response.status_code != 302 or "evil" not in response["Location"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD"])
def test_other_methods(browser, method):
    for path in PAGES:
        response = browser.generic(method, path)
        looks_right(response)
        assert method != "HEAD" or response.content == b""


@pytest.mark.parametrize(
    "name", ["kairos_session", "kairos_csrf", "kairos_browser", "kairos_known", "kairos_recovery", "messages", "kairos_language"]
)
@pytest.mark.parametrize("value", ["", "a" * 4000, "é", "\x01", '"', "0" * 32 + ".a-b", "x" * 43])
def test_hostile_cookies(person, name, value):
    client = Client()
    client.cookies[name] = value
    for path in PAGES:
        looks_right(client.get(path))
        looks_right(client.post(path, {"login": "ada@example.org", "password": "wrong wrong wrong", "code": "123456"}))


def test_pages_are_neither_framed_nor_kept(person, client):
    for path in PAGES:
        response = client.get(path)
        assert response["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert "no-store" in response["Cache-Control"]
        assert "Access-Control-Allow-Origin" not in response
