"""Two thousand seeded requests at every protocol endpoint: never a 5xx (tests/support/browser.py asserts it), never an echo, never a code."""

from __future__ import annotations

import random

import pytest

from tests.support.browser import FORM
from tests.support.clauses import clause
from tests.support.rp import basic

REQUESTS = 2000
PATHS = [
    "/authorize", "/authorize/resume", "/token", "/userinfo", "/introspect", "/revoke", "/logout", "/logout/confirm", "/jwks",
    "/.well-known/openid-configuration", "/consent", "/login",
]  # fmt: skip
NAMES = [
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "prompt", "max_age", "id_token_hint", "login_hint", "acr_values",
    "claims", "display", "ui_locales", "code_challenge", "code_challenge_method", "response_mode", "resource", "request", "request_uri",
    "grant_type", "code", "code_verifier", "refresh_token", "token", "token_type_hint", "client_secret", "client_assertion", "access_token",
    "interaction", "decision", "kept", "login", "password", "next", "post_logout_redirect_uri", "csrfmiddlewaretoken", "", "__proto__", "a[b]",
]  # fmt: skip
NASTY = [
    "", "%", "%zz", "%00", "%0d%0aX: y", "%ff%fe", "%c3%28", "%ed%a0%80", "%f0%9f%98%80", "\x00", "\x7f", "ä", "\u0080\u0100", "'", '"', "<script>",
    "../../etc/passwd", "{{7*7}}", "${7*7}", "%(x)s", "-1", "0", "1e400", "9" * 400, "NaN", "null", "[]", "{}", '{"userinfo":{"a":{"value":"%5Cu0000"}}}',
    "[" * 500, "x" * 3000, "x" * 17_000, "a b c", "a+b", "none", "login", "code", "openid", "openid+email", "S256", "form_post",
    "https://shop.example/cb", "javascript:alert(1)", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "opaque_x", "true", "authorization_code",
    "refresh_token", "client_credentials", "\u202e", "%u0041", "=", "&", ";", "#", "?",
]  # fmt: skip
HEADERS = {
    "Authorization": ["", "Basic", "Basic x", "Basic Og==", "Basic " + "A" * 5000, "Bearer", "Bearer x", "Bearer a.b.c", "bearer  ", "Negotiate x", "\u00e4"],
    "Content-Type": ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=", FORM + "; charset=x", "text/plain", "a", "/", ";", "ä/ö"],
    "Origin": ["null", "https://evil.example", "x", "", "\u00e4"],
    "Cookie": ["a", "=", "kairos_session=", "kairos_session=x; kairos_browser=" + "y" * 43, "kairos_csrf=%00", ";;;", "\u00e4=\u00e4", 'a="'],
    "Accept-Language": ["", "*", "de,en;q=x", "x" * 4000, "a-b-c-d-e", "\u00e4"],
    "If-None-Match": ["*", '"', "W/", "x" * 4000],
    "X-Request-ID": ["", "x" * 500, "a b", "\r", "\u00e4"],
    "X-Forwarded-For": ["1.2.3.4", "x", ",,,", "::1, 10.0.0.1", "a" * 2000],
    "User-Agent": ["", "\x1b[31m", "x" * 5000, "\u00e4"],
    "Host": ["localhost:8000", "evil.example", "", "localhost:8000:1", "[::1", "a b", "localhost:99999999"],
}  # fmt: skip


def parameters(rng, shop):
    pairs = []
    for _ in range(rng.randint(0, 12)):
        name = rng.choice(NAMES)
        known = {"client_id": shop.client_id, "redirect_uri": "https%3A%2F%2Fshop.example%2Fcb", "client_secret": shop.secret}
        pairs.append(f"{name}={known[name] if name in known and rng.random() < 0.7 else rng.choice(NASTY)}")
    return "&".join(pairs)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("world", ["thin"], indirect=True)
@clause("PX-07", "PX-13", "hostile cases 0.1, 9")
def test_no_request_breaks_anything(world, shop, ada, browser, seed):
    rng = random.Random(seed)
    shop.code(browser)
    cookies = dict(browser.cookies)
    for _ in range(REQUESTS // 4):
        browser.cookies = dict(cookies) if rng.random() < 0.5 else {}
        method = rng.choice(["GET", "GET", "GET", "POST", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "X"])
        path, query, body = rng.choice(PATHS), "", b""
        if rng.random() < 0.6:
            query = "?" + parameters(rng, shop).replace("#", "").replace(" ", "+").replace("\x00", "%00")
        headers = {}
        if method in ("POST", "PUT", "PATCH"):
            body = parameters(rng, shop).encode("utf-8", "replace") if rng.random() < 0.9 else rng.randbytes(200)
            headers["Content-Type"] = FORM
        for name in rng.sample(sorted(HEADERS), rng.randint(0, 3)):
            headers[name] = rng.choice(HEADERS[name]).encode("utf-8").decode("latin-1")
        if path in ("/token", "/introspect", "/revoke") and rng.random() < 0.4:
            headers["Authorization"] = basic(shop.client_id, shop.secret)
        answer = browser.request(method, path + query.encode("utf-8", "replace").decode("latin-1"), body=body, headers=headers)
        assert b"<script>alert" not in answer.body
        assert not any("\r" in value or "\n" in value for _, value in answer.headers)
        where = answer.header("Location") or ""
        assert not where.startswith(("javascript:", "//", "https://evil"))
        if "code=" in where:
            assert where.startswith("https://shop.example/cb")
