"""One canonical form: hostile case EM-13, PW-13."""

import pytest
from django.core.exceptions import ValidationError

from idp.accounts.emails import canonical_email, lookup_key


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ana@Example.ORG", "ana@example.org"),
        ("  ana@example.org ", "ana@example.org"),
        ("ana+news@example.org", "ana+news@example.org"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
        ("\uff41\uff4e\uff41@example.org", "ana@example.org"),  # full width
        ("\u212aim@example.org", "kim@example.org"),  # Kelvin sign: mail goes to what is stored, and only there
        ("ana@exampl\u0435.org", "ana@xn--exampl-8of.org"),  # Cyrillic letter in the domain: seen for what it is
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_every_spelling_becomes_one_form(typed, stored):
    assert canonical_email(typed) == stored
    assert canonical_email(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "ana", "@example.org", "ana@", "ana@exam ple.org", "ana@@example.org", "ana\n@example.org", "ana@example.org\nBcc: x@example.org",
        "\u0131nfo@example.org",  # dotless i
        "stra\u00dfe@example.org",
        '"ana"@example.org', "ana@[127.0.0.1]", "ana@-example.org", "ana@xn--\u00fc.example", "ana@xn--a.example",
        "a" * 250 + "@example.org", "a" * 100_000, "ana@" + "a" * 100_000, "ana\x00@example.org", "ana@\u2024example.org", "\ud800@example.org",
    ],
)  # fmt: skip
def test_what_no_mail_reaches_is_refused_without_an_echo(typed):
    with pytest.raises(ValidationError) as refused:
        canonical_email(typed)
    assert refused.value.messages == ["Enter an email address, for example name@example.org."]


def test_a_lookup_key_never_fails_and_folds_spellings():
    assert lookup_key("Ana@Example.ORG") == lookup_key("ana@example.org")
    assert lookup_key("ANA") == lookup_key("ana")
    assert len(lookup_key("x" * 1_000_000)) < 1000
