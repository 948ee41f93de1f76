"""Types of the standard claims: OpenID Connect Core 5.1."""

from datetime import UTC, datetime

import pytest

from idp.accounts.claims import ClaimError, standard_claims, validated
from idp.accounts.models import User


def test_everything_that_has_a_value_is_told_typed():
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    claims = {
        "name": "Ana",
        "nickname": "",
        "address": {"locality": "Graz"},
        "phone_number": "+43 316 1234",
        "phone_number_verified": False,
    }
    user = User(email="ana@example.org", claims=claims, updated_at=at, email_verified_at=at)
    assert standard_claims(user) == {
        "name": "Ana",
        "address": {"locality": "Graz"},
        "phone_number": "+43 316 1234",
        "phone_number_verified": False,
        "email": "ana@example.org",
        "email_verified": True,
        "updated_at": int(at.timestamp()),
    }


def test_an_unproved_address_is_told_as_such_and_no_address_not_at_all():
    assert standard_claims(User(email="ana@example.org"))["email_verified"] is False
    assert not {"email", "email_verified"} & standard_claims(User(email=None)).keys()


def test_a_verified_mark_without_a_number_is_not_told():
    assert "phone_number_verified" not in standard_claims(User(claims={"phone_number_verified": True}))


@pytest.mark.parametrize(
    "claims",
    [
        [], "text", None,
        {"sub": "x"}, {"email": "x@example.org"}, {"email_verified": True}, {"groups": ["a"]},
        {"name": 1}, {"name": "a\x00b"}, {"name": "x" * 2000}, {"phone_number_verified": "true"}, {"phone_number_verified": True},
        {"birthdate": "31.12.1990"}, {"birthdate": "1990-1-1"}, {"locale": "english please"}, {"zoneinfo": "../etc/passwd"},
        {"profile": "javascript:alert(1)"}, {"website": "example.org"}, {"picture": "https://"}, {"phone_number": "call me"}, {"phone_number": "0316 1234", "phone_number_verified": True},
        {"address": "Graz"}, {"address": {"planet": "Earth"}}, {"address": {"locality": 3}}, {"updated_at": "today"}, {"updated_at": True},
    ],
)  # fmt: skip
def test_wrong_claims_are_refused(claims):
    with pytest.raises(ClaimError):
        validated(claims)


@pytest.mark.parametrize(
    "claims",
    [
        {"birthdate": "1990-12-31", "zoneinfo": "Europe/Vienna", "locale": "de-AT"},
        {"birthdate": "0000-12-31", "locale": "de_AT", "zoneinfo": "UTC"},
        {"birthdate": "1990", "website": "https://ana.example/", "phone_number": "+1 (604) 555-1234;ext=5678"},
        {"phone_number": "(425) 555-1212"},
        {"address": {"formatted": "Street 1\r\nGraz", "country": "Austria"}},
    ],
)
def test_right_claims_are_kept_as_they_are(claims):
    assert validated(claims) == claims


def test_empty_values_are_left_out():
    assert validated({"name": "", "nickname": None, "gender": "x"}) == {"gender": "x"}
