"""The profile schema: what may be stored, how it rests, who sees it, and how a deployment changes it."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from idp.accounts import attributes, claims, profile
from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.oidc.claims.selection import id_token_claims, userinfo_claims
from idp.oidc.clients.policy import known_scopes
from idp.oidc.discovery import documents

WORST = "never repeat this"


def problems(values, **more):
    with pytest.raises(claims.ClaimError) as caught:
        claims.validated(values, **more)
    assert WORST not in str(caught.value)
    return {problem.path: problem.reason for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("values", "path", "reason"),
    [
        ({"allergies": "nuts"}, "/allergies", "This must be a list."),
        ({"allergies": ["nuts", 3]}, "/allergies/1", "This must be a text."),
        ({"allergies": ["nuts", "x" * 61]}, "/allergies/1", "Use at most 60 characters."),
        ({"allergies": ["nuts", "nuts"]}, "/allergies", "Name each one once."),
        ({"allergies": [str(n) for n in range(51)]}, "/allergies", "Give at most 50 of them."),
        ({"preferences": {"cuisines": ["thai", ["deep"]]}}, "/preferences/cuisines/1", "This must be a text."),
        ({"preferences": {"a~b/c": {}}}, "/preferences/a~0b~1c", "This must be a text."),
        ({"preferences": []}, None, None),
        ({"bio": "a\x07b"}, "/bio", "Remove characters that cannot be shown."),
        ({"bio": f"{WORST}\u202e"}, "/bio", "Remove characters that cannot be shown."),
        ({"bio": "x" * 501}, "/bio", "Use at most 500 characters."),
        ({"nickname": "two\nlines"}, "/nickname", "Use one line."),
        ({"nickname": "\ud800"}, "/nickname", "Remove characters that cannot be shown."),
        ({"preferences": {"a\x00b": "x"}}, "/preferences", "A name in this is too long or holds characters that cannot be shown."),
        ({"picture": f"javascript:{WORST}"}, "/picture", "Enter an address that begins with https:// or http://."),
        ({"birthdate": WORST}, "/birthdate", "Write it like this: 1990-12-31."),
        ({"address": {"planet": WORST}}, "/address", "Only these members are known: formatted, street_address, postal_code, locality, region, country."),
        ({"unheard_of": WORST}, "/unheard_of", "There is no such attribute."),
        ({"name": "x" * 1000, "nickname": "é" * 1000, "preferences": {f"m{n}": "é" * 900 for n in range(5)}}, "", "There is more in this profile than can be kept."),
        ({"preferences": {f"m{n}": "x" for n in range(100)}}, "", "There is too much in this profile, or too much in one another."),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_why_and_never_what(values, path, reason):
    if path is None:
        assert claims.validated(values) == {}
    else:
        assert problems(values)[path] == reason


def test_depth_counts_the_profile_itself(tmp_path, monkeypatch):
    declare(tmp_path, monkeypatch, {"deep": {"schema": {"type": "object"}, "label": "Deep"}})
    assert claims.validated({"deep": {"a": {"b": "three"}}})
    assert claims.validated({"deep": {"a": {"b": [1]}}})
    assert problems({"deep": {"a": {"b": {"c": {}}}}})[""]
    assert problems({"deep": json.loads("[" * 40 + "]" * 40)})
    assert problems({"deep": {"n": float("inf")}})["/deep/n"] == "This number is too large."
    assert problems({"deep": {"n": 10**30}})["/deep/n"] == "This number is too large."


def test_texts_are_stored_in_one_form():
    assert claims.validated({"name": "Jose\u0301", "preferences": {"cafe\u0301": "e\u0301"}}) == {
        "name": "Jos\u00e9",
        "preferences": {"caf\u00e9": "\u00e9"},
    }


def test_a_person_cannot_write_what_has_to_be_proved():
    assert problems({"phone_number": "+351 21 000 0000", "phone_number_verified": True}, by="person") == {
        "/phone_number": "This cannot be changed here.",
        "/phone_number_verified": "This cannot be changed here.",
    }


@pytest.mark.django_db
def test_a_change_is_merged_sealed_and_told_by_name(person):
    assert profile.change(person, {"name": "Ada", "allergies": ["nuts"]}, role="person") == ("name", "allergies")
    assert profile.change(person, {"allergies": ["nuts", "milk"], "bio": ""}, role="person") == ("allergies",)
    assert profile.change(person, {"allergies": ["nuts", "milk"]}, role="person") == ()
    row = User.objects.get(pk=person.pk)
    assert claims.stored(row) == {"name": "Ada", "allergies": ["nuts", "milk"]}
    assert "nuts" not in json.dumps(row.claims)
    assert "Ada" in json.dumps(row.claims)
    told = EventRecord.objects.filter(name="profile.changed").order_by("id")
    assert [event.data for event in told] == [{"attributes": ["name", "allergies"]}, {"attributes": ["allergies"]}]
    profile.change(person, {"allergies": None, "name": ""}, role="person")
    assert User.objects.get(pk=person.pk).claims == {}


@pytest.mark.django_db
def test_nothing_is_stored_when_one_value_is_wrong(person):
    profile.change(person, {"name": "Ada"}, role="person")
    with pytest.raises(claims.ClaimError):
        profile.change(person, {"name": "Grace", "allergies": [7]}, role="person")
    big = {"preferences": {f"m{n}": "x" * 1000 for n in range(9)}}
    profile.change(person, big, role="person")
    with pytest.raises(claims.ClaimError, match="more in this profile"):  # the limit is of the whole person, not of one change
        profile.change(person, {"name": "x" * 1000, "nickname": "x" * 1000}, role="person")
    assert claims.stored(User.objects.get(pk=person.pk)) == {"name": "Ada", **big}


@pytest.mark.django_db
def test_a_sealed_value_opens_for_its_person_and_attribute_only(person, caplog):
    profile.change(person, {"allergies": ["nuts"]}, role="person")
    other = User(email="eve@example.org", claims=dict(person.claims))
    assert claims.stored(other) == {}
    assert "cannot be opened" in caplog.text
    assert "nuts" not in caplog.text


def declare(tmp_path, monkeypatch, declared):
    """The deployment's own schema file, in force until the test ends."""
    file = tmp_path / f"schema-{len(list(tmp_path.iterdir()))}.json"
    file.write_text(declared if isinstance(declared, str) else json.dumps({"attributes": declared}))
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"profile_schema_file": file}))
    monkeypatch.setattr(documents, "_cache", {})
    return attributes.attributes()


@pytest.mark.django_db
def test_a_deployment_extends_the_profile_and_everything_follows(tmp_path, monkeypatch, person):
    shoe = {"schema": {"type": "integer", "minimum": 10}, "label": {"en": "Shoe size", "de": "Schuhgröße"}, "scope": "shoes"}
    badge = {"schema": {"type": "string"}, "label": "Badge", "claim": "", "write": ["staff"], "encrypted": True, "event": False}
    declared = declare(tmp_path, monkeypatch, {"shoe_size": shoe, "badge": badge, "gender": None, "bio": {"encrypted": True}})
    assert "gender" not in declared
    assert str(declared["shoe_size"].label) == "Shoe size"
    assert declared["bio"].encrypted
    assert declared["bio"].schema["maxLength"] == 500
    profile.change(person, {"shoe_size": 42, "bio": "Hello"}, role="person")
    profile.change(person, {"badge": "7"}, role="staff")
    assert problems({"badge": "8"}, by="person") == {"/badge": "This cannot be changed here."}
    assert userinfo_claims(person, scopes=["shoes"], requested={}) == {"shoe_size": 42}
    assert userinfo_claims(person, scopes=["profile"], requested={})["bio"] == "Hello"
    assert id_token_claims(person, scopes=[], requested={"id_token": {"shoe_size": None}}) == {"shoe_size": 42}
    assert "badge" not in claims.standard_claims(person)
    assert [event.data["attributes"] for event in EventRecord.objects.filter(name="profile.changed")] == [["bio", "shoe_size"]]
    assert "shoes" in known_scopes()
    assert "shoe_size" in documents._openid(["RS256"])["claims_supported"]
    assert "gender" not in documents._openid(["RS256"])["claims_supported"]
    assert "shoes" in documents._oauth()["scopes_supported"]


@pytest.mark.parametrize(
    "declared",
    [
        "{", "[]", '{"attributes": []}', '{"attributes": {}, "more": 1}', "[" * 100_000,
        {"Bad Name": {"schema": {"type": "string"}, "label": "x"}},
        {"x": {"schema": {"type": "string"}}},
        {"x": {"schema": {"type": "text"}, "label": "x"}},
        {"x": {"schema": {"$ref": "https://example.org/", "type": "string"}, "label": "x"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "claim": "sub"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "claim": "email"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "claim": "name"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "scope": "openid"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "scope": "a b"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "write": ["everybody"]}},
        {"x": {"schema": {"type": "string"}, "label": {"de": "x"}}},
        {"x": {"schema": {"type": "string"}, "label": "x", "encrypted": "yes"}},
        {"x": {"schema": {"type": "string"}, "label": "x", "colour": "red"}},
        {f"a{n}": {"schema": {"type": "string"}, "label": "x"} for n in range(100)},
    ],
)  # fmt: skip
def test_a_wrong_schema_file_stops_the_start(tmp_path, monkeypatch, declared):
    with pytest.raises(ImproperlyConfigured, match="IDP_PROFILE_SCHEMA_FILE"):
        declare(tmp_path, monkeypatch, declared)


def test_a_missing_schema_file_stops_the_start(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        attributes.load(tmp_path / "none.json")
