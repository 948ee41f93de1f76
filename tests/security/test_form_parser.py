"""Group PX: whatever arrives as a form is read strictly, or refused as what it is."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from idp.oidc.border import form
from idp.oidc.protocol.errors import OAuthError
from tests.support.clauses import clause

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)


@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(PRINTABLE, PRINTABLE), max_size=20))
@clause("RFC 6749 B")
def test_what_was_encoded_is_read_back(pairs):
    assert form.pairs(urlencode(pairs)) == pairs
    assert form.pairs(urlencode(pairs, quote_via=quote)) == pairs


@hypothesis_settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(st.one_of(st.sampled_from("%&=+;abc0129fF\0\r\n"), st.characters()), max_size=80))
@clause("PX-07", "RFC 6749 3.1")
def test_anything_is_read_or_refused(text):
    try:
        found = form.pairs(text)
    except OAuthError as refusal:
        status, found = refusal.refusal.status, []
    else:
        status = 200
    assert status in (200, 400, 413)
    for name, value in found:
        assert value
        assert not any(ord(character) < 32 and character not in "\t\n\r" for character in name + value)
        (name + value).encode()  # no half surrogate pairs


@pytest.mark.parametrize(
    "text", ["a=%", "a=%2", "a=%zz", "%=a", "a=%ff", "a=%c3%28", "a=%ed%a0%80", "a=%00", "a%00=b", "a=%7f", "a=ä", "a=\u0080"]
)
@clause("PX-07", "RFC 6749 B")
def test_malformed(text):
    with pytest.raises(OAuthError) as refusal:
        form.pairs(text)
    assert refusal.value.refusal.code == "request-malformed"


@clause("PX-04", "RFC 6749 3.1")
def test_empty_values_count_as_omitted():
    assert form.pairs("a=&b&c=d&&=e") == [("c", "d"), ("", "e")]


@clause("PX-15")
def test_no_input_takes_long():
    import time

    for text in ("%" * 60_000, "a=" + "%61" * 5_000, "&" * 60_000, "=" * 60_000, "a=b&" * 15_000, "+" * 60_000):
        started = time.process_time()
        try:
            form.pairs(text)
        except OAuthError:
            pass
        assert time.process_time() - started < 0.2
