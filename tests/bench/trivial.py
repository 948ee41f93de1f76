"""The measure of all ratios: an application that does nothing, on the same server with the same options.

`/wsgi` is answered before Django, `/view` by a Django view behind Django's handler without any middleware.
A process of its own: nothing of it is in the product.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

BODY = b'{"answer":"nothing"}'


def view(request: HttpRequest) -> HttpResponse:
    """A small JSON text."""
    return HttpResponse(BODY, content_type="application/json", headers={"Content-Length": str(len(BODY))})


urlpatterns = [path("view", view)]


def load() -> Callable[..., Any]:
    """The WSGI application; runs in the worker."""
    settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="-", MIDDLEWARE=[], LOGGING_CONFIG=None)
    django = get_wsgi_application()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/wsgi":
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
            return [BODY]
        return django(environ, start_response)

    return application


def serve(application: Callable[[], Callable[..., Any]], *, port: int, workers: int, threads: int) -> None:
    """Serve what `application` makes, with the options of `idp.operations.serving`."""
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    server = Server(
        "-",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=threads,
        backpressure=max(64, 8 * threads),
        log_level=LogLevels.error,
        log_access=False,
    )
    server.serve(target_loader=application, wrap_loader=False)


if __name__ == "__main__":
    serve(load, port=int(sys.argv[1]), workers=int(sys.argv[2]), threads=int(sys.argv[3]))
