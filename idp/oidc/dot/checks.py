"""Start-up self-test: the few private names of oauthlib that we set must still mean something."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from oauthlib.openid import Server as OpenIDServer

from .server import PRIVATE_NAMES


def engine_is_the_one_we_know(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """kairos.E001: an engine that changed inside must fail at start, not in production."""
    stock = OpenIDServer(request_validator=None)
    missing = [name for name in PRIVATE_NAMES if not hasattr(stock, name)]
    if not missing:
        return []
    return [Error(f"oauthlib no longer has {', '.join(missing)}", hint="Pin the version in pyproject.toml.", id="kairos.E001")]
