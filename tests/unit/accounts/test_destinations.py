"""Hostile case BR-11: `next` leads to a place of ours or nowhere."""

import pytest

from idp.accounts.destinations import is_local_path


@pytest.mark.parametrize(
    "url", ["/account", "/authorize/resume?interaction=abc", "/a?next=https://example.org", "/a#b", "/%2F/evil.example", "/"]
)
def test_places_of_ours(url):
    assert is_local_path(url)


@pytest.mark.parametrize(
    "url",
    [
        None, "", "account", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
        "https://evil.example", "http:///evil.example", "\t//evil.example", "/\t/evil.example", "/\n/evil.example", " /account", "/account ",
        "javascript:alert(1)", "data:text/html,x", "/\x00", "/é", "/\u2028", "https://localhost@evil.example", "/" + "a" * 3000, "/.//evil\\",
    ],
)  # fmt: skip
def test_everything_else(url):
    assert not is_local_path(url)
