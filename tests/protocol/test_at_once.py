"""The thin door answers a signed-in person's request before Django: like the view, header for header, and only where nobody is asked."""

from __future__ import annotations

import pytest
from django.core.handlers.wsgi import WSGIHandler

from idp.accounts.models import User
from idp.oidc.authorization import at_once
from idp.oidc.models import AuthorizationCode
from tests.support.browser import Browser, through_wsgi
from tests.support.clauses import clause

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("world", ["thin"], indirect=True)]


@pytest.fixture
def answered(monkeypatch):
    """What the door's attempts came to, in order."""
    found = []

    def respond(request):
        found.append(at_once.respond(request))
        return found[-1]

    monkeypatch.setattr("idp.oidc.doors.wsgi.AT_ONCE", {"/authorize": respond})
    return found


def by_view(browser):
    """The same browser at Django's handler alone."""
    other = Browser(through_wsgi(WSGIHandler(), origin=browser.origin, ip="127.0.0.1"), origin=browser.origin)
    other.cookies.update(browser.cookies)
    return other


@pytest.mark.parametrize("members", [{}, {"response_mode": "fragment"}, {"prompt": "none"}, {"max_age": "3000"}])
@clause("OIDC Core 3.1.2.5")
def test_the_answer_is_the_view_s(shop, ada, browser, answered, members):
    shop.code(browser)
    answered.clear()
    here = shop.ask(browser, **members)
    assert answered[0] is not None
    attempt, first = shop.last, shop.arrive(here)
    there = shop.ask(by_view(browser), **members)
    second = shop.arrive(there)
    assert len(answered) == 1
    assert here.status == there.status == 302
    assert first.keys() == second.keys()
    assert first["code"] != second["code"]
    left_out = {
        "location",  # compared above
        "x-request-id",
        "content-security-policy",  # stricter here: there is no content
        "vary",  # no cache may keep it
        "content-type",
        "content-language",  # an empty body has neither
    }
    headers = [{key.lower(): value for key, value in answer.headers if key.lower() not in left_out} for answer in (here, there)]
    assert headers[0] == headers[1]
    assert "default-src 'none'" in here.header("Content-Security-Policy")
    assert shop.redeem(first["code"], attempt).status == shop.redeem(second["code"]).status == 200


@pytest.mark.parametrize(
    "members",
    [
        {"prompt": "login"},
        {"prompt": "consent"},
        {"prompt": "select_account"},
        {"max_age": "0"},
        {"scope": "openid email"},
        {"response_mode": "form_post"},
        {"response_type": "token"},
        {"code_challenge": None},
        {"redirect_uri": "https://evil.example/"},
        {"client_id": "nobody"},
        {"state": ["1", "2"]},
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        {"acr_values": "urn:kairos:acr:mfa", "claims": '{"id_token": {"acr": {"essential": true, "value": "urn:kairos:acr:mfa"}}}'},
    ],
    ids=str,
)
def test_everything_else_is_the_view_s(world, ada, browser, answered, members):
    shop = world.app(registered_scope="openid email")
    shop.code(browser)
    answered.clear()
    codes = AuthorizationCode.objects.count()
    shop.ask(browser, **members)
    assert answered == [None]
    assert AuthorizationCode.objects.count() - codes == (1 if "response_mode" in members else 0)


def test_nobody_signed_in(shop, ada, browser, answered):
    answer = shop.ask(browser)
    assert answered == [None]
    assert answer.location.startswith("/login")


@clause("hostile case GL-10")
def test_the_account_gate_holds(shop, ada, browser, answered):
    shop.code(browser)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    answered.clear()
    assert shop.ask(browser).location.startswith("/login")
    assert answered == [None]


def test_another_client_asks_anew(world, shop, ada, browser, answered):
    shop.code(browser)
    answered.clear()
    assert world.app("Other").ask(browser).location.startswith("/consent")
    assert answered == [None]


@clause("OpenID Connect Session Management 1.0 2")
def test_a_watched_session_needs_its_cookie_first(world, ada, browser, answered):
    shop = world.app(profile="oidc")
    shop.code(browser)
    name = next(name for name in browser.cookies if name.endswith("kairos_op_state"))
    answered.clear()
    assert shop.arrive(shop.ask(browser))["session_state"]
    assert answered[0] is not None
    kept = browser.cookies.pop(name)
    assert shop.arrive(shop.ask(browser))["session_state"]
    assert answered[1] is None
    assert browser.cookies[name] == kept


def test_a_fault_leaves_it_to_the_view(shop, ada, browser, monkeypatch):
    shop.code(browser)

    def broken(request):
        raise RuntimeError("broken")

    monkeypatch.setattr("idp.oidc.doors.wsgi.AT_ONCE", {"/authorize": broken})
    assert shop.arrive(shop.ask(browser))["code"]
