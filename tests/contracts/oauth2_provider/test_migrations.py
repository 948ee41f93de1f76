"""Our one migration of django-oauth-toolkit's tables leads to what its own lead to (docs/decisions/0008)."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

ENGINE = "oauth2_provider"


def own_names() -> set[tuple[str, str]]:
    found = {path.name.removesuffix(".py") for path in (files(ENGINE) / "migrations").iterdir() if path.name.endswith(".py")}
    return {(ENGINE, name) for name in found - {"__init__"}}


def ours() -> Any:
    [one] = [migration for (app, _), migration in MigrationLoader(None).disk_migrations.items() if app == ENGINE]
    return one


def test_it_stands_for_all_of_them() -> None:
    assert set(ours().replaces) == own_names()


def test_the_models_are_the_same() -> None:
    with override_settings(MIGRATION_MODULES={}):
        loader = MigrationLoader(None)
        assert own_names() <= set(loader.graph.nodes)
        theirs = loader.project_state()
    state = MigrationLoader(None).project_state()
    assert {name for app, name in state.models if app == ENGINE} == {name for app, name in theirs.models if app == ENGINE}
    for before, after in ((theirs, state), (state, theirs)):
        assert MigrationAutodetector(before, after).changes(graph=loader.graph) == {}


@pytest.mark.django_db
def test_a_database_that_has_theirs_needs_nothing() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied(ENGINE, ours().name)
    assert own_names() <= set(recorder.applied_migrations())
    assert (ENGINE, ours().name) in MigrationLoader(connection).applied_migrations
