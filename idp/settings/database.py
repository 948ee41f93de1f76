"""PostgreSQL (production) or SQLite in WAL mode (embedded default)."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import IDP


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    # Bounded waiting everywhere: a stuck statement must not hold a worker (reliability contract, rule 5).
    options["options"] = "-c statement_timeout=3000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
    options["connect_timeout"] = int(options.get("connect_timeout", 3))
    return {
        "ENGINE": "idp.kernel.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        # A thread keeps its connection: threads are as many as IDP_DATABASE_POOL_SIZE allows, and taking one from a pool for every
        # request costs as much as a statement. Renewed now and then, so that a failover or a new address is noticed.
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,  # without a round trip: idp.kernel.postgresql
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode
    }


def _sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,  # opening the file and its WAL for every request would cost more than the request
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # take the write lock first: no deadlock on upgrade, one writer at a time
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;",
        },
        # A file, as in service: the shared memory database of Django's default knows no waiting, so threads could not be tested.
        "TEST": {"NAME": f"{path}.test"},
    }


_url = IDP.database_url.get_secret_value()
if _url.startswith(("postgresql://", "postgres://")):
    DATABASES = {"default": _postgresql(_url)}
elif _url.startswith("sqlite:///"):
    DATABASES = {"default": _sqlite(_url.removeprefix("sqlite:///"))}
else:
    IDP.data_dir.mkdir(parents=True, exist_ok=True)
    DATABASES = {"default": _sqlite(str(IDP.data_dir / "kairos.sqlite3"))}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
