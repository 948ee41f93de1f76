"""The web server: granian over WSGI with threads (docs/decisions: the fastest measured), one process tree, one import of the code.

The parent loads Django, then forks: workers share its memory and start at once. It never answers requests itself.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing.util
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from django.urls import get_resolver
from django.utils.module_loading import import_string

from idp.operations import embedded

log = logging.getLogger(__name__)

# What a worker process still needs of its environment. Everything else would be copied into the WSGI environment of every
# request: slow, secrets where a debugger or a careless log line finds them, and `HTTP_…` variables that pose as headers.
KEPT_VARIABLES = frozenset(
    ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "DJANGO_SETTINGS_MODULE")
)
STOP_SECONDS = 25
PR_SET_PDEATHSIG = 1
HEADER_SECONDS = 10
# Request line and headers together. Longer ones get 414 or 431 before any code of ours runs.
HEADER_BYTES = 32 * 1024


def serve(*, host: str, port: int, workers: int, threads: int, backlog: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished first."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    get_resolver().url_patterns  # noqa: B018  imports every view before the fork, so that workers share the memory
    connections.close_all()  # a connection must not be shared across the fork
    gc.collect()
    gc.freeze()  # the collector need not walk through the code again and again, nor unshare its memory after the fork
    server = Server(
        "idp.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=threads,
        blocking_threads_idle_timeout=600,  # seconds: a thread takes its database connection with it
        backlog=backlog,
        # Connections, not requests: idle ones count, so this is not a multiple of the threads.
        backpressure=max(128, backlog // workers),
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, keep_alive=True, max_buffer_size=HEADER_BYTES),
        respawn_failed_workers=workers > 1,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
        log_access=False,  # kernel.logs writes our own line, which knows what must not be in it
    )
    server.serve(target_loader=load, wrap_loader=False)


def load() -> Callable[..., Any]:
    """Runs in each worker process: the application, with the embedded worker beside it where there is no Redis."""
    _stop_with_parent()
    # Ctrl-C reaches every process of the terminal; the parent then asks the workers by SIGTERM. One that gets both never stops.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    for name in list(os.environ):
        if name not in KEPT_VARIABLES:
            del os.environ[name]
    application: Callable[..., Any] = import_string(settings.WSGI_APPLICATION)
    if settings.IDP.embedded:
        beside = embedded.start()
        # Runs when the server has stopped; a forked child skips atexit.
        multiprocessing.util.Finalize(beside, beside.stop, exitpriority=10)
    return application


def _stop_with_parent() -> None:
    # A parent that was killed cannot stop its workers, and they would go on answering beside those of the next one.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
