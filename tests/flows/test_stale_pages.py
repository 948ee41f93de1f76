"""Two tabs, old pages, languages: nobody lands in a dead end."""

from __future__ import annotations

import pytest
from django.test import Client

from idp.signin import failures
from tests.flows.test_sign_in_for_an_app import app, ask, carried  # noqa: F401
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db
OURS = {"HTTP_ORIGIN": "http://testserver"}


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


def token(page):
    return page.content.decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]


def test_a_tab_that_is_older_than_the_sign_in_of_another_goes_on_with_its_own_request(browser, person, app):  # noqa: F811
    """Two tabs, two requests: the form of the second is stale once the first has signed in; it leads on to the app all the same."""
    first, second = (ask(browser, app, state=name) for name in "ab")
    stale = token(browser.get(second))
    form = {"login": "ada@example.org", "password": PASSWORD, **carried(first), "csrfmiddlewaretoken": token(browser.get(first))}
    assert browser.post("/login", form, **OURS).status_code == 302
    response = browser.post("/login", {**form, **carried(second), "csrfmiddlewaretoken": stale}, **OURS)
    assert response.status_code == 303
    assert response["Location"] == f"/authorize/resume?interaction={carried(second)['interaction']}"


def test_the_page_says_that_it_was_out_of_date(browser):
    browser.get("/login")
    response = browser.post("/login", {"login": "a", "password": "b", "next": "/account/apps", "csrfmiddlewaretoken": "x" * 64}, **OURS)
    assert (response.status_code, response["Location"]) == (303, "/login?next=%2Faccount%2Fapps&done=stale")
    assert "out of date" in browser.get(response["Location"]).content.decode()


def test_a_page_that_is_not_of_the_sign_in_opens_again(browser):
    browser.get("/login")
    response = browser.post("/language", {"language": "en"}, HTTP_REFERER="http://testserver/account?x=1", **OURS)
    assert (response.status_code, response["Location"]) == (303, "/account?x=1")
    response = browser.post("/language", {"language": "en"}, HTTP_REFERER="https://evil.example/", **OURS)
    assert response["Location"] == "/login"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_forged_form_is_refused_and_not_repeated(browser, origin):
    """ASVS 3.5.3: what another site sends gets a page, and no redirect."""
    browser.get("/login")
    headers = {"HTTP_ORIGIN": origin} if origin else {}
    response = browser.post("/login", {"login": "a", "password": "b"}, **headers)
    assert response.status_code == 403
    assert 'id="start-again"' in response.content.decode()


def test_without_cookies_the_page_says_so(browser):
    response = browser.post("/login", {"login": "a", "password": "b"}, **OURS)
    assert response.status_code == 403
    assert "allow cookies" in response.content.decode()


def test_every_restart_is_a_page(client):
    assert {client.get(path).status_code for path in failures.RESTARTS} <= {200, 302, 303, 400, 403}


class TestLanguage:
    @pytest.fixture(autouse=True)
    def languages(self, settings):
        settings.LANGUAGES = [("en", "English"), ("de", "German"), ("ar", "Arabic")]
        from django.utils.translation import trans_real

        kept = (trans_real.get_languages, trans_real.get_supported_language_variant, trans_real.get_language_from_path)
        for cached in kept:
            getattr(cached, "cache_clear", lambda: None)()
        yield
        for cached in kept:
            getattr(cached, "cache_clear", lambda: None)()

    @pytest.mark.parametrize(
        ("asked", "spoken"),
        [("de", "de"), ("se tlh de-AT en", "de"), ("ar-EG", "ar"), ("tlh", "en"), ("", "en"), ("x" * 2000, "en"), ("<b>", "en")],
    )
    def test_the_app_asks_for_one(self, client, app, asked, spoken):  # noqa: F811
        """OpenID Connect Core 3.1.2.1: ui_locales, in order of preference; what nobody speaks is no error."""
        page = client.get(ask(client, app, ui_locales=asked), HTTP_ACCEPT_LANGUAGE="fr").content.decode()
        assert f'<html lang="{spoken}"' in page
        assert ('dir="rtl"' in page) is (spoken == "ar")

    def test_the_cookie_comes_before_the_browsers_list(self, client):
        client.cookies["kairos_language"] = "de"
        assert '<html lang="de"' in client.get("/login", HTTP_ACCEPT_LANGUAGE="ar").content.decode()
        assert '<html lang="ar"' in Client().get("/login", HTTP_ACCEPT_LANGUAGE="ar").content.decode()

    def test_the_persons_choice_comes_before_all(self, client, app):  # noqa: F811
        page = ask(client, app, ui_locales="de")
        client.post("/language", {"language": "ar", "next": page})
        assert '<html lang="ar"' in client.get(page).content.decode()
        stranger = Client()
        stranger.post("/language", {"language": "en", "next": page})
        assert '<html lang="ar"' in client.get(page).content.decode()

    @pytest.mark.parametrize("next_url", ["//evil.example", "/login?interaction=%00", "x" * 9000])
    def test_a_forged_next_leads_nowhere_else(self, client, next_url):
        """BR-11."""
        response = client.post("/language", {"language": "de", "next": next_url})
        assert response.status_code == 302
        assert "evil" not in response["Location"]
