"""The catalogue's grammar, and that no event can carry a secret."""

from __future__ import annotations

import dataclasses
import re
import typing

import pytest

from idp.events import catalogue
from idp.events.catalogue import CATALOGUE, Event

NAME = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
# Words that a field name must not contain: what they would hold does not belong in a log that many may read.
SECRET_WORDS = {
    "answer", "assertion", "bearer", "challenge", "code", "codes", "cookie", "cookies", "credential", "credentials", "hash", "jwt", "key",
    "nonce", "otp", "password", "passwords", "pin", "private", "secret", "secrets", "state", "token", "tokens", "verifier",
}  # fmt: skip
PERSONAL_WORDS = {"address", "birthdate", "email", "emails", "identifier", "ip", "login", "name", "phone", "username"}
KINDS = (str, int, bool, tuple[str, ...], str | None, int | None, bool | None)
EVENTS = pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)


def fields(kind: type[Event]) -> tuple[dataclasses.Field[typing.Any], ...]:
    return dataclasses.fields(kind)  # type: ignore[arg-type]


@EVENTS
def test_a_name_is_subject_dot_action(kind: type[Event]) -> None:
    assert NAME.fullmatch(kind.name)
    assert len(kind.name) <= 64


@EVENTS
def test_an_event_is_a_frozen_dataclass_with_one_line_of_description(kind: type[Event]) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__
    assert "\n" not in kind.__doc__.strip()
    assert not kind.__doc__.startswith(f"{kind.__name__}("), "write a docstring: dataclass made up its own"


@EVENTS
def test_no_field_could_hold_a_secret_or_personal_data(kind: type[Event]) -> None:
    for field in fields(kind):
        words = set(field.name.split("_"))
        assert not words & SECRET_WORDS, field.name
        assert not words & PERSONAL_WORDS, field.name


@EVENTS
def test_fields_are_plain_values(kind: type[Event]) -> None:
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        assert hints[field.name] in KINDS, field.name


def test_every_class_is_in_the_table_once() -> None:
    classes = {kind for kind in vars(catalogue).values() if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event}
    assert set(CATALOGUE.values()) == classes
    assert all(kind.name == name for name, kind in CATALOGUE.items())


@EVENTS
def test_personal_data_is_marked(kind: type[Event]) -> None:
    names = {field.name for field in fields(kind)}
    assert set(kind.personal) <= names
    assert "sid" not in names or "sid" in kind.personal
