"""The lines of the consent page say what is asked, with the person's own values."""

from __future__ import annotations

import pytest

from idp.consent.wording import items

ANA = {
    "name": "Ana Reyes",
    "email": "ana@example.org",
    "email_verified": True,
    "phone_number": "+351 21 000 0000",
    "address": {"street_address": "Rua Um 1", "locality": "Lisbon", "country": "PT"},
}


@pytest.mark.parametrize(
    ("asked", "title", "detail"),
    [
        ({"scopes": ["openid"]}, "That you have an account here", "and an identifier for it, nothing else"),
        ({"scopes": ["openid", "profile"]}, "Your name and picture", "Ana Reyes"),
        ({"scopes": ["openid", "email"]}, "Your email address", "ana@example.org, verified"),
        ({"scopes": ["openid", "phone"]}, "Your phone number", "+351 21 000 0000, not verified"),
        ({"scopes": ["openid", "address"]}, "Your postal address", "Rua Um 1, Lisbon, PT"),
        ({"scopes": ["openid", "offline_access"]}, "Stay connected while you are away", "until you remove it in your account"),
        ({"scopes": ["openid", "meals.read"]}, "Use “meals.read” for you", ""),
        ({"scopes": ["openid"], "claims": ["name"]}, "Your name", "Ana Reyes"),
        ({"scopes": ["openid"], "claims": ["shoe_size"]}, "“shoe_size” from your profile", ""),
        ({"scopes": [], "resources": ["https://api.example.org/v1"]}, "Act for you at api.example.org", "https://api.example.org/v1"),
    ],
)
def test_one_line_for_each_thing_that_is_asked(asked: dict[str, list[str]], title: str, detail: str) -> None:
    (line,) = items(**asked, about=ANA)
    assert (line.title, line.detail) == (title, detail)


def test_a_claim_that_a_scope_already_covers_is_said_once() -> None:
    assert len(items(scopes=["openid", "profile", "email"], claims=["name", "email", "email_verified"], about=ANA)) == 2


def test_without_values_the_words_remain() -> None:
    assert [line.detail for line in items(scopes=["openid", "profile", "email", "address", "phone"])] == ["", "", "", ""]
