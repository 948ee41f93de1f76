"""The policy of field diffs: old and new, no secret, no personal data, bounded."""

from __future__ import annotations

import json

import pytest

from idp.events.changes import LONG, PERSONAL, SECRET, diff
from tests.support.clauses import clause


def test_only_what_differs_is_there_with_both_sides():
    assert diff({"a": 1, "b": [1], "gone": "x"}, {"a": 2, "b": [1], "new": None}) == {
        "a": {"old": 1, "new": 2},
        "gone": {"old": "x"},
        "new": {"new": None},
    }


@clause("hostile case OP-12")
@pytest.mark.parametrize("name", ["client_secret", "password", "private_key", "sealed", "registration_access_token"])
def test_a_secret_is_never_written(name):
    assert diff({name: "s3cret"}, {name: "other"}) == {name: {"old": SECRET, "new": SECRET}}
    assert "s3cret" not in json.dumps(diff({}, {"settings": {name: "s3cret"}}))


def test_settings_about_tokens_are_no_secrets():
    assert diff({}, {"token_endpoint_auth_method": "none"}) == {"token_endpoint_auth_method": {"new": "none"}}


def test_personal_data_is_named_and_not_repeated():
    assert diff({"contacts": ["a@example.org"]}, {"contacts": []}, personal=("contacts",)) == {
        "contacts": {"old": PERSONAL, "new": PERSONAL}
    }
    assert diff({}, {"email": "a@example.org", "allergies": ["nuts"]}, personal=None) == {
        "email": {"new": PERSONAL},
        "allergies": {"new": PERSONAL},
    }


def test_sizes_are_bounded():
    changes = diff({}, {f"m{number}": ["x" * 10_000] * 100 for number in range(100)})
    assert len(json.dumps(changes)) < 25_000
    assert changes["m0"]["new"][0] == "x" * 200 + "…"
    assert changes["m0"]["new"][-1] == "… (100)"
    assert LONG in (sides["new"] for sides in changes.values())
