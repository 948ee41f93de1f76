"""An app asks for a person: what the sign-in pages make of its request."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from idp.access import groups
from idp.accounts.models import User
from idp.events.models import EventRecord
from tests.support.factories import PASSWORD, make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
CALLBACK = "https://meals.example/callback"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).decode().rstrip("=")


@pytest.fixture
def app(db, capsys):
    import json

    call_command(
        "client",
        "create",
        "Meal Planner",
        "--type",
        "web",
        "--redirect-uri",
        CALLBACK,
        "--scope",
        "openid email",
        "--first-party",
        "--json",
    )
    return json.loads(capsys.readouterr().out)


def ask(browser, app, **more):
    """What the browser is sent to when the app asks for a person."""
    query = {
        "client_id": app["client_id"], "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid email", "state": "s",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", **more,
    }  # fmt: skip
    response = browser.get(f"/authorize?{urlencode(query)}")
    assert response.status_code in (302, 303), response.content
    return response["Location"]


def carried(url):
    return {"interaction": parse_qs(urlsplit(url).query)["interaction"][0]}


def arrive(browser, response):
    """Follow redirects of ours until the app is reached or a page is shown."""
    while response.status_code in (302, 303) and response["Location"].startswith("/"):
        response = browser.get(response["Location"])
    return response


def is_answered(response):
    return response.status_code in (302, 303) and response["Location"].startswith(f"{CALLBACK}?code=")


def test_the_page_says_who_asks_and_knows_the_hint(client, app, person):
    page = client.get(ask(client, app, login_hint="ada@example.org")).content.decode()
    assert "Meal Planner" in page
    assert 'value="ada@example.org"' in page


def test_from_the_app_to_the_app(client, app, person):
    url = ask(client, app)
    wrong = client.post("/login", {"login": "ada@example.org", "password": "wrong wrong wrong", **carried(url)})
    assert "Meal Planner" in wrong.content.decode()
    response = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)})
    assert response["Location"] == f"/authorize/resume?interaction={carried(url)['interaction']}"
    assert is_answered(arrive(client, response))
    assert EventRecord.objects.get(name="sign_in.succeeded").client_id == app["client_id"]
    assert EventRecord.objects.get(name="sign_in.failed").client_id == app["client_id"]


def test_who_is_signed_in_proves_it_again_only_when_asked(client, app, person):
    client.post("/login", {"login": "ada@example.org", "password": PASSWORD})
    assert ask(client, app).startswith(CALLBACK)
    url = ask(client, app, prompt="login")
    page = client.get(url).content.decode()
    assert "Confirm it’s you" in page
    assert 'value="ada@example.org"' in page
    assert is_answered(arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)})))


def test_choosing_the_account(client, app, person):
    make_person(email="bob@example.org")
    client.post("/login", {"login": "ada@example.org", "password": PASSWORD})
    url = ask(client, app, prompt="select_account")
    page = client.get(url).content.decode()
    assert "ada@example.org" in page
    assert is_answered(arrive(client, client.post("/login", {"continue": "yes", **carried(url)})))
    url = ask(client, app, prompt="select_account")
    form = client.get(f"{url}&switch=1").content.decode()
    assert 'id="id_password"' in form
    assert is_answered(arrive(client, client.post("/login", {"login": "bob@example.org", "password": PASSWORD, **carried(url)})))
    assert EventRecord.objects.filter(name="sign_in.succeeded", person=User.objects.get(email="bob@example.org").pk).exists()


def test_nobody_continues_as_somebody_without_being_signed_in(client, app, person):
    url = ask(client, app, prompt="select_account")
    response = client.post("/login", {"continue": "yes", **carried(url)})
    assert response["Location"].startswith("/login?interaction=")


def test_signing_up_on_the_way_to_an_app(client, app):
    url = ask(client, app, prompt="create", login_hint="new@example.org")
    assert url.startswith("/signup?")
    assert "Meal Planner" in client.get(url).content.decode()
    response = client.post("/signup", {"email": "new@example.org", "password": "a long enough pass phrase", **carried(url)})
    assert carried(response["Location"]) == carried(url)
    [mail] = mails()
    # The link of the mail knows no app; the browser does.
    [link] = [link for link in mail.links if "code=" in link]
    page = arrive(client, client.get(link.removeprefix("http://localhost:8000")))
    assert "Meal Planner" in page.content.decode()
    assert f'value="{mail.code}"' in page.content.decode()
    assert is_answered(arrive(client, client.post("/signup/verify", {"code": mail.code, **carried(url)})))


def test_who_has_an_account_already_signs_in_instead(client, app, person):
    url = ask(client, app, prompt="create")
    page = client.get(url).content.decode()
    assert "switch=1" in page
    form = client.get(f"/login?interaction={carried(url)['interaction']}&switch=1")
    assert form.status_code == 200
    assert is_answered(arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)})))


def test_where_sign_up_is_closed_one_can_still_sign_in(client, app, person, settings):
    settings.IDP = settings.IDP.model_copy(update={"signup": "closed"})
    page = arrive(client, client.get(ask(client, app, prompt="create")))
    assert page.status_code == 200
    assert 'id="login-submit"' in page.content.decode()


def test_an_unproved_address_comes_back_to_the_app(client, app):
    make_person(verified=False)
    url = ask(client, app)
    response = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)})
    page = arrive(client, response)
    assert "Meal Planner" in page.content.decode()
    assert is_answered(arrive(client, client.post("/signup/verify", {"code": mails()[0].code, **carried(url)})))


def test_a_forgotten_password_comes_back_to_the_app(client, app, person):
    url = ask(client, app)
    client.post("/password/forgot", {"email": "ada@example.org", **carried(url)})
    [link] = [link for link in mails()[0].links if "token=" in link]
    client.get(link.removeprefix("http://localhost:8000"))
    response = client.post("/password/reset", {"password": "an entirely new pass phrase"})
    assert carried(response["Location"]) == carried(url)
    assert "Meal Planner" in client.get(response["Location"]).content.decode()


def test_two_tabs_go_each_their_own_way(client, app, person):
    first, second = ask(client, app, state="one"), ask(client, app, state="two")
    done = arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(second)}))
    assert "state=two" in done["Location"]
    # The first tab still shows its form: sent now, it goes on where it wanted to go.
    done = arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(first)}))
    assert "state=one" in done["Location"]


def test_the_back_button_after_the_answer_is_no_dead_end(client, app, person):
    url = ask(client, app)
    arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)}))
    again = client.get(url)
    assert again["Location"].startswith("/authorize/resume?interaction=")
    assert arrive(client, again).status_code in (200, 302, 303, 400)
    repeated = arrive(client, client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)}))
    assert repeated.status_code < 500


def test_another_browser_cannot_continue(client, app, person):
    """Hostile case BR-08: the id alone opens nothing."""
    url = ask(client, app)
    stranger = Client()
    response = arrive(stranger, stranger.get(url))
    assert response.status_code == 400
    assert "Meal Planner" not in response.content.decode()
    signed_in = arrive(stranger, stranger.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)}))
    assert not is_answered(signed_in)


def test_a_disabled_account_stops_before_the_app(client, app, person):
    from idp.accounts import people

    people.disable(person)
    url = ask(client, app)
    response = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **carried(url)})
    assert response["Location"] == "/login/disabled"


def test_what_signing_in_costs(client, app, person):
    """spec/performance.md: a whole sign-in and code flow writes six rows at most; this step leaves two: the session and the event."""
    url = ask(client, app)
    client.get(url)
    form = {"login": "ada@example.org", "password": PASSWORD, **carried(url)}
    groups.requirement(person.pk)  # which groups want a second step is kept by the process until it changes
    with CaptureQueriesContext(connection) as queries:
        client.post("/login", form)
    # The generations of caches are asked for once a second, by whichever request comes first.
    free = ("BEGIN", "SAVEPOINT", "RELEASE", "SELECT name, number FROM kernel_generation")
    statements = [query["sql"] for query in queries if not query["sql"].startswith(free)]
    # On PostgreSQL an event and its number are one statement: WITH head AS (INSERT …
    left = [sql for sql in statements if sql.startswith(("INSERT", "WITH head AS (INSERT")) and "guesscounter" not in sql]
    assert len(left) == 2, left
    assert not [sql for sql in statements if sql.startswith("UPDATE")], statements
    assert len(statements) <= 9, statements
