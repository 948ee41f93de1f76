"""The page for what must never happen."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.template.loader import render_to_string

from idp.kernel import context
from idp.kernel.clock import now
from idp.signin.branding import branding

if TYPE_CHECKING:
    from django.http import HttpRequest


RETRY_SECONDS = 5
log = logging.getLogger(__name__)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: says that it was our fault, with the request's id as reference: every line of the log carries it.

    While the database cannot be used it is 503 with Retry-After instead (hostile case FT-01), and one line in the log, not a
    traceback for every request of an outage. Asks nothing of the database or of the session: they may be what broke.
    """
    cause = sys.exc_info()[1]
    if isinstance(cause, OperationalError | InterfaceError):
        log.error("database unavailable (%s)", str(cause).partition("\n")[0])
        away = HttpResponse(render_to_string("503.html", branding(request)), status=503, headers={"Retry-After": str(RETRY_SECONDS)})
        away._has_been_logged = True  # type: ignore[attr-defined]
        return away
    page = render_to_string("500.html", {**branding(request), "reference": context.current().request_id, "time": now()})
    return HttpResponse(page, status=500)
