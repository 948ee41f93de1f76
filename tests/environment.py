"""The settings that every test runs with: explicit, random where secret, cheap where slow.

Loaded as a pytest plugin (`-p tests.environment`, see pyproject.toml), because Django reads its settings before any
conftest.py. Nothing comes from the developer's own `.env` or shell: every inherited `IDP_*` variable is dropped.
"""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

_servers = ExitStack()


def apply() -> None:
    """Put the test settings into `os.environ`. `KAIROS_TEST_DATABASE_URL` and `KAIROS_TEST_REDIS_URL` choose other servers than the embedded ones."""
    for name in [name for name in os.environ if name.startswith("IDP_")]:
        del os.environ[name]
    # What was compiled is kept, whatever the shell says: a hundred processes of a run read it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    data_dir = tempfile.mkdtemp(prefix="kairos-test-")
    atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
    (Path(data_dir) / "static").mkdir()  # as collectstatic leaves it: WhiteNoise warns about a folder that is not there
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "idp.settings",
        "IDP_ENV_FILE": os.devnull,
        "IDP_ENV": "development",
        "IDP_ISSUER": "http://localhost:8000",
        "IDP_SECRET_KEY": secrets.token_urlsafe(60),
        "IDP_SEALING_KEYS": "test:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "IDP_DATA_DIR": data_dir,
        "IDP_EMAIL_URL": "inbox:",
        "IDP_DATABASE_URL": os.environ.get("KAIROS_TEST_DATABASE_URL", ""),
        "IDP_REDIS_URL": _own_redis_database(os.environ.get("KAIROS_TEST_REDIS_URL", "")),
        # Argon2id at the least that the settings allow: hundreds of tests sign in.
        "IDP_ARGON2_MEMORY_KIB": "7168",
        "IDP_ARGON2_ITERATIONS": "1",
        "IDP_LOG_LEVEL": "WARNING",
        # Playwright's synchronous API keeps an event loop in the test's thread; Django would refuse the ORM there.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
    }


def _own_redis_database(url: str) -> str:
    """One numbered database per xdist worker, so that parallel tests do not see one another's keys."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{url.rstrip('/')}/{int(worker) % 16}" if url else ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgresql", action="store_true", help="run on a private PostgreSQL and Redis, started for this session, instead of SQLite"
    )


@pytest.hookimpl(wrapper=True)  # a wrapper runs before pytest-django's own hook, which loads the settings
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    if early_config.known_args_namespace.postgresql and "PYTEST_XDIST_WORKER" not in os.environ:
        _start_servers()
    apply()
    return (yield)


def _start_servers() -> None:
    from tests.support.servers import postgresql, redis

    os.environ["KAIROS_TEST_DATABASE_URL"] = _servers.enter_context(postgresql()).url
    os.environ["KAIROS_TEST_REDIS_URL"] = _servers.enter_context(redis()).url
    atexit.register(_servers.close)
