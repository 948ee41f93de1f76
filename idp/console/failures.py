"""The page for what must never happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.template.loader import render_to_string

from idp.kernel import context
from idp.kernel.clock import now
from idp.signin.branding import branding

if TYPE_CHECKING:
    from django.http import HttpRequest


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: says that it was our fault, with the request's id as reference: every line of the log carries it.

    Asks nothing of the database or of the session: they may be what broke.
    """
    page = render_to_string("500.html", {**branding(request), "reference": context.current().request_id, "time": now()})
    return HttpResponse(page, status=500)
