"""A database with every table and nothing else in it: for the next test, and for providers in processes of their own.

What `manage.py migrate` does takes seconds of a core; the tests that are about it, or about the first start, do not come here.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from django.db import connection, transaction

_AT = "KAIROS_TEST_EMPTY_DATABASE"
# What `migrate` itself writes, always the same.
_STAYS = {"django_content_type", "auth_permission"}


def keep() -> None:
    """Copy the test database as it is now, just made. There is none on PostgreSQL, nor when no test of the run asked for one."""
    if connection.vendor == "sqlite" and "django_migrations" in connection.introspection.table_names():
        path = f"{connection.settings_dict['NAME']}.empty"
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [path])
        os.environ[_AT] = path


def lay(data_dir: Path) -> None:
    """Give a provider that is about to start with this `IDP_DATA_DIR` such a database, if there is one."""
    if path := os.environ.get(_AT):
        data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, data_dir / "kairos.sqlite3")


def again(_test_case: object = None) -> None:
    """Delete what a test has committed.

    Django empties every table, full or not, each with its files and indexes on PostgreSQL, and then writes its content types and
    permissions anew: half a second for each such test.
    """
    from idp.events import partitions

    with transaction.atomic(), connection.cursor() as cursor:  # foreign keys are looked at when it ends, so tables come in any order
        cursor.execute(_with_rows())
        for [table] in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")
    partitions.prepare()  # as after `migrate`: a test whose clock was years ahead may have dropped months


@cache
def _with_rows() -> str:
    names = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - _STAYS
    quoted = sorted(connection.ops.quote_name(name) for name in names)
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in quoted)
