"""OpenID Connect RP-Initiated Logout 1.0."""

from __future__ import annotations

import pytest
import time_machine

from idp.accounts import people
from idp.events.models import EventRecord
from idp.kernel import generations
from tests.support import refused
from tests.support.browser import encoded
from tests.support.clauses import case, clause

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

BACK = "https://shop.example/bye"


@pytest.fixture
def shop(world):
    return world.app(post_logout_redirect_uris=[BACK, "https://shop.example/bye?from=op"])


@pytest.fixture
def hint(shop, ada, browser):
    """Ada is signed in in `browser`; this is her ID token."""
    return shop.tokens(browser)["id_token"]


def logout(browser, **parameters):
    return browser.get(f"/logout?{encoded(parameters)}")


def signed_in(browser, shop):
    return "code" in shop.ask(browser, prompt="none").location.partition("?")[2].split("=")[0]


@pytest.mark.parametrize("method", ["GET", "POST"])
@clause("RP-Initiated Logout 2", "RP-Initiated Logout 3")
def test_with_a_fitting_hint_at_once_and_back(shop, browser, hint, method):
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "a b&c", "client_id": shop.client_id}
    answer = logout(browser, **form) if method == "GET" else browser.post("/logout", form, Origin="https://shop.example")
    assert (answer.status, answer.location) == (303, f"{BACK}?state=a%20b%26c")
    assert answer.header("Cache-Control") == "no-store"
    assert not signed_in(browser, shop)


@clause("RP-Initiated Logout 3")
def test_state_only_if_sent_and_appended_properly(shop, browser, hint):
    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri="https://shop.example/bye?from=op", state="x")
    assert answer.location == "https://shop.example/bye?from=op&state=x"
    again = logout(browser, id_token_hint=hint, post_logout_redirect_uri=BACK)  # signed out already: still gets the browser back
    assert again.location == BACK


@clause("hostile case LO-05")
def test_a_state_with_line_breaks_stays_inside_of_its_header(shop, browser, hint):
    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri=BACK, state="x\r\nSet-Cookie: a=b")
    assert answer.status in (303, 400)
    assert answer.header("Set-Cookie") is None or "a=b" not in (answer.header("Set-Cookie") or "")
    if answer.status == 303:
        assert answer.location == f"{BACK}?state=x%0D%0ASet-Cookie%3A%20a%3Db"


@clause("hostile case LO-09", "hostile case BR-16")
def test_signing_out_everywhere(world, shop, ada, browser):
    """In one browser: sessions in the others and refresh tokens are dead within a second, on every node."""
    elsewhere = world.browser()
    tokens, other = shop.tokens(browser), shop.tokens(elsewhere)
    people.sign_out_everywhere(ada)
    generations.forget()  # half a second later
    for each in (tokens, other):
        assert shop.refresh(each["refresh_token"]).json()["error"] == "invalid_grant"
        assert shop.userinfo(each["access_token"]).status == 401
    assert not signed_in(browser, shop)
    assert not signed_in(elsewhere, shop)
    assert EventRecord.objects.filter(name="account.signed_out_everywhere", person=ada.pk).count() == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"state": "x"},
        {"client_id": "{id}"},
        {"logout_hint": "ada"},
        {"post_logout_redirect_uri": BACK},
        {"client_id": "{id}", "post_logout_redirect_uri": BACK, "state": "x"},
    ],
    ids=str,
)
@clause("RP-Initiated Logout 2", "hostile case BR-04")
def test_without_a_hint_the_person_is_asked(shop, browser, hint, parameters):
    given = {name: shop.client_id if value == "{id}" else value for name, value in parameters.items()}
    page = logout(browser, **given)
    assert page.status == 200
    assert 'id="logout-confirm"' in page.text
    assert signed_in(browser, shop)  # nothing happened yet
    done = browser.follow(browser.submit(page, button="logout-confirm"))
    assert done.status == 200
    assert done.sent.target == "/logout/done"  # 3: without a hint nobody is sent anywhere
    assert not signed_in(browser, shop)


@clause("RP-Initiated Logout 2", "hostile case BR-04")
def test_the_decision_cannot_be_forged(world, shop, browser, hint):
    page = logout(browser)
    fields = page.form(having="logout-confirm").fields
    del fields["csrfmiddlewaretoken"]
    assert browser.post("/logout/confirm", fields, Origin="https://evil.example").status == 403
    assert browser.get("/logout/confirm").location == "/logout"  # a reloaded address only asks again
    assert signed_in(browser, shop)


REFUSED = [
    case(
        "RP-Initiated Logout 3",
        "unregistered address",
        {"post_logout_redirect_uri": "https://shop.example/else"},
        "post-logout-redirect-uri-mismatch",
    ),
    case("RP-Initiated Logout 3", "other letter case", {"post_logout_redirect_uri": BACK.upper()}, "post-logout-redirect-uri-mismatch"),
    case("RP-Initiated Logout 3", "trailing slash", {"post_logout_redirect_uri": BACK + "/"}, "post-logout-redirect-uri-mismatch"),
    case("RP-Initiated Logout 3", "query added", {"post_logout_redirect_uri": BACK + "?a=b"}, "post-logout-redirect-uri-mismatch"),
    case("RP-Initiated Logout 2", "another client_id", {"client_id": "somebody-else"}, "logout-hint-invalid"),
    case("RP-Initiated Logout 4", "junk as hint", {"id_token_hint": "junk"}, "logout-hint-invalid"),
    case("RFC 6749 3.1", "a parameter twice", {"state": ["one-state", "two-state"]}, "duplicate-parameter"),
    case("hostile case PX-07", "NUL", {"state": "a\0b"}, "request-malformed"),
]


@pytest.mark.parametrize(("change", "code"), REFUSED)
@clause("hostile case LO-02")
def test_refused_on_a_page_and_still_signed_in(shop, browser, hint, change, code):
    refused.page(logout(browser, **{"id_token_hint": hint, "post_logout_redirect_uri": BACK, **change}), code)
    assert signed_in(browser, shop)


def forgeries(hint):
    import base64

    header, payload, signature = hint.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    other = base64.urlsafe_b64encode(b'{"iss":"http://localhost:8000","sub":"x","aud":"x"}').decode().rstrip("=")
    return [f"{none}.{payload}.", f"{header}.{payload}.{flipped}", f"{header}.{other}.{signature}", f"{header}.{payload}."]


@clause("RP-Initiated Logout 4", "hostile case LO-01")
def test_forged_hints(shop, browser, hint):
    for forged in forgeries(hint):
        refused.page(logout(browser, id_token_hint=forged, post_logout_redirect_uri=BACK), "logout-hint-invalid")
    assert signed_in(browser, shop)


@clause("RP-Initiated Logout 4", "hostile case LO-03")
def test_a_hint_about_somebody_else_asks(world, shop, ada, browser, hint):
    world.person("bob@example.org")
    bobs = world.browser()
    shop.code(bobs, email="bob@example.org")
    page = logout(bobs, id_token_hint=hint, post_logout_redirect_uri=BACK, state="x")
    assert 'id="logout-confirm"' in page.text
    assert signed_in(bobs, shop)
    assert bobs.submit(page, button="logout-confirm").location == f"{BACK}?state=x"
    assert signed_in(browser, shop)
    assert not signed_in(bobs, shop)


@clause("RP-Initiated Logout 2")
def test_an_expired_hint_will_do(shop, ada, browser):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        hint = shop.tokens(browser)["id_token"]
        clock.shift(86400)
        assert logout(browser, id_token_hint=hint, post_logout_redirect_uri=BACK).location == BACK


@clause("hostile case LO-06", "hostile case CO-07")
def test_codes_of_the_session_end_with_it(shop, browser, hint):
    code = shop.code(browser)
    logout(browser, id_token_hint=hint)
    refused.as_json(shop.redeem(code), "invalid_grant")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
@clause("RP-Initiated Logout 2")
def test_a_body_that_is_no_form(browser, shop, content_type):
    answer = browser.request("POST", "/logout", body=b"{}", headers={"Content-Type": content_type})
    refused.page(answer, "content-type-unsupported")


@clause("RP-Initiated Logout 2")
def test_nobody_signed_in(shop, browser):
    page = browser.visit("/logout")
    assert (page.status, page.sent.target) == (200, "/logout/done")
    assert browser.visit(f"/logout?post_logout_redirect_uri={BACK}").sent.target == "/logout/done"
