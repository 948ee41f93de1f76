"""What both doors wrap around an endpoint: a database that is away is the provider's trouble, said as such."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.db import close_old_connections as drop_broken_connections

from idp.oidc.protocol import refusals

from .http import HttpIn, HttpOut, json_answer

_log = logging.getLogger(__name__)


def respond_safely(respond: Callable[[HttpIn], HttpOut], request: HttpIn) -> HttpOut:
    """The endpoint's answer, or 503 with Retry-After while the database cannot be used. Nothing half-done is left behind."""
    try:
        return respond(request)
    except (OperationalError, InterfaceError) as error:
        # One line: an outage must not write a traceback for every request.
        _log.error("database unavailable (%s)", str(error).partition("\n")[0])
        drop_broken_connections()
        busy = refusals.SERVER_BUSY
        document = {"error": busy.error, "error_description": busy.description}
        return json_answer(document, status=busy.status, headers={"Retry-After": "5"})
