"""`/livez` (this process answers) and `/readyz` (it can do its work): for load balancers, containers and people on call.

A middleware, not URL patterns: probes ask by IP address, and `ALLOWED_HOSTS` rightly refuses that everywhere else.
The answers name parts and say "ok" or "failing", never why: that is in the log and in `manage.py doctor`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from idp.kernel.middleware import SECURITY_HEADERS
from idp.operations import embedded

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
# So long an answer is repeated: a flood of probes costs one check.
REMEMBER_SECONDS = 1.0
RETRY_SECONDS = 5


def database() -> None:
    """Raises if the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()


def redis() -> None:
    """Raises if Redis (cache) does not answer. Without Redis there is nothing to fail."""
    url = settings.IDP.redis_url.get_secret_value()
    if url:
        from redis import Redis

        with Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()


def broker() -> None:
    """Raises if Celery's broker does not answer, or the embedded worker has died."""
    if settings.IDP.embedded:
        beside = embedded.running()
        if beside is not None and not beside.alive():
            raise RuntimeError("the embedded worker or beat has stopped")
        return
    options = {"socket_timeout": 1, "socket_connect_timeout": 1}
    with import_string(settings.TASK_APP).connection_for_write(connect_timeout=1, transport_options=options) as link:
        link.ensure_connection(max_retries=1, interval_start=0, timeout=1)


def signing_keys() -> None:
    """Raises if there is no key that may sign now."""
    from idp.oidc.keys.ring import signer

    try:
        signer("RS256")  # the algorithm that every relying party may count on (OpenID Connect Core 15.1)
    finally:
        connection.close()


PARTS: Mapping[str, Callable[[], None]] = {"database": database, "redis": redis, "broker": broker, "signing_keys": signing_keys}

# A part that hangs keeps its thread; the next check of the same part then fails at once instead of taking another one.
_threads = ThreadPoolExecutor(len(PARTS) * 2, thread_name_prefix="readyz")
_hanging: dict[str, Future[None]] = {}
_lock = threading.Lock()
_last: tuple[float, dict[str, str]] | None = None


def readiness(parts: Mapping[str, Callable[[], None]] = PARTS) -> dict[str, str]:
    """Each part and "ok" or "failing"; takes at most `CHECK_SECONDS`."""
    deadline = time.monotonic() + CHECK_SECONDS
    checks = {name: _begin(name, check) for name, check in parts.items()}
    return {name: _end(name, check, deadline) for name, check in checks.items()}


def _begin(name: str, check: Callable[[], None]) -> Future[None] | None:
    before = _hanging.get(name)
    if before is not None and not before.done():
        return None
    _hanging[name] = future = _threads.submit(check)
    return future


def _end(name: str, check: Future[None] | None, deadline: float) -> str:
    if check is None:
        log.warning("not ready: %s still hangs", name)
        return "failing"
    try:
        check.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        log.warning("not ready: %s takes too long", name)
        return "failing"
    except Exception as error:  # noqa: BLE001  whatever it is, the part does not work
        log.warning("not ready: %s (%s)", name, type(error).__name__)
        return "failing"
    return "ok"


def _remembered() -> dict[str, str]:
    global _last
    with _lock:
        if _last is None or time.monotonic() - _last[0] > REMEMBER_SECONDS:
            found = readiness()
            _last = (time.monotonic(), found)
        return _last[1]


def livez(_request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers at all; asks nobody else."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when every part is ok, else 503 with Retry-After (RFC 9110 15.6.4)."""
    parts = _remembered()
    if all(state == "ok" for state in parts.values()):
        return JsonResponse({"status": "ok", "parts": parts})
    response = JsonResponse({"status": "not ready", "parts": parts}, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log each probe as a failure of the server
    return response


VIEWS: Mapping[str, Callable[[HttpRequest], JsonResponse]] = {"/livez": livez, "/readyz": readyz}


class HealthMiddleware:
    """Answers `VIEWS` before anything looks at the host, a session or the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = VIEWS.get(request.path)
        if view is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"error": "method_not_allowed"}, status=405, headers={"Allow": "GET, HEAD", **SECURITY_HEADERS})
        response = view(request)
        for name, value in SECURITY_HEADERS.items():
            response.headers[name] = value
        if request.method == "HEAD":
            response.content = b""
        return response
