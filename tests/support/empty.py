"""A database with every table and nothing else in it, made once per test process: for providers in processes of their own.

What `manage.py migrate` does takes seconds of a core; the tests that are about it, or about the first start, do not come here.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.db import connection

_AT = "KAIROS_TEST_EMPTY_DATABASE"


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
