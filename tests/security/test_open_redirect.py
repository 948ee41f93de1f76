"""Hostile case BR-11 at every page that knows where to go next."""

from __future__ import annotations

import pytest

from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db
EVIL = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "\t//evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "http://localhost:8000@evil.example",
]


@pytest.mark.parametrize("evil", EVIL)
def test_next_never_leads_away(client, person, evil):
    assert "evil" not in client.get("/login", {"next": evil}).content.decode()
    assert client.post("/login", {"login": "ada@example.org", "password": PASSWORD, "next": evil})["Location"] == "/account"
    assert client.get("/login", {"next": evil})["Location"] == "/account"
    assert client.get("/signup", {"next": evil})["Location"] == "/account"


@pytest.mark.parametrize("evil", EVIL)
def test_an_interaction_that_is_none_never_leads_away(client, person, evil):
    response = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, "interaction": evil})
    assert response["Location"] == "/account"


@pytest.mark.parametrize("evil", EVIL)
def test_a_code_to_sign_in_never_leads_away(client, person, evil):
    from tests.support.mailbox import mails

    assert client.post("/login", {"login": "ada@example.org", "way": "code", "next": evil})["Location"] == "/login/code"
    assert client.post("/login/code", {"code": mails()[-1].code, "next": evil})["Location"] == "/account"
