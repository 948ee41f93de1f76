"""One number, one spelling; and only numbers that a message can be sent to for an ordinary price."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from idp.accounts import phones

WIDE = "+" + "".join(chr(0xFF10 + int(digit)) for digit in "4915123456789")  # full-width digits


@pytest.mark.parametrize("text", ["+49 151 23456789", "+4915123456789", "  +49 (151) 234-567-89 ", "+49 151/23456789", WIDE])
def test_every_spelling_is_one_number(text):
    """PW-13: one bucket, one account."""
    assert phones.canonical_phone(text) == "+4915123456789"


def test_a_number_without_country_code_belongs_to_the_region_of_the_installation(settings):
    settings.IDP = settings.IDP.model_copy(update={"phone_region": "DE"})
    assert phones.canonical_phone("0151 23456789") == "+4915123456789"


@pytest.mark.parametrize(
    "text",
    [
        "", "0151 23456789", "+49", "+49 151", "hello", "+49 151 FLOWERS", "+4915123456789;ext=5", "+4915123456789 x5", "+49 151\n23456789",
        "+4915123456789\x00", "+" + "4" * 400, "+49 900 1234567", "+44 870 123 4567", "+49 30 1234567", "+1 800 555 0199", "\u202e+4915123456789",
    ],
)  # fmt: skip
def test_what_is_no_mobile_number_is_refused_without_repeating_it(text):
    with pytest.raises(ValidationError) as raised:
        phones.canonical_phone(text)
    assert raised.value.messages == ["Enter a mobile number with its country code, for example +49 151 23456789."]


def test_people_read_it_with_spaces():
    assert phones.readable("+4915123456789") == "+49 1512 3456789"
    assert phones.readable("nonsense") == "nonsense"


@pytest.mark.parametrize(
    ("text", "is_one"), [("+49 151", True), ("0151/234", True), ("ada@example.org", False), ("ada", False), ("", False)]
)
def test_what_is_meant_as_a_number(text, is_one):
    assert phones.looks_like_phone(text) is is_one
