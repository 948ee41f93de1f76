"""A whole production site over HTTPS: what nginx lets through, and what is left when a part is gone.

Hostile cases PW-09, IN-10, OP-01, OP-04, OP-06, FT-01, FT-06, KT-04.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.clauses import clause
from tests.support.servers import Deployment, deployment

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.needs("nginx")]
CANARY = "c4n4ry" + "k" * 26


@pytest.fixture(scope="module")
def site() -> Iterator[Deployment]:
    with deployment(IDP_LOG_LEVEL="DEBUG") as running:
        yield running


@pytest.fixture
def http(site: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, verify=site.tls, timeout=20) as client:
        yield client


def raw(site: Deployment, data: bytes) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", site.nginx.port), timeout=10) as plain,
        site.tls.wrap_socket(plain, server_hostname="localhost") as line,
    ):
        line.sendall(data)
        answer = b""
        try:
            while piece := line.recv(65536):
                answer += piece
        except (ConnectionResetError, TimeoutError):
            pass
        return answer


def submit(site: Deployment, http: httpx.Client, path: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', http.get(path).text)
    assert token
    return http.post(path, data={"csrfmiddlewaretoken": token[1], **fields}, headers={"Origin": site.url})


def last_access_line(site: Deployment, request_id: str) -> dict[str, object]:
    line = next(line for line in site.web.log.splitlines() if request_id in line and '"request"' in line)
    found: dict[str, object] = json.loads(line)
    return found


def until(holds: Callable[[], bool], *, seconds: float) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds
        time.sleep(0.1)
    return time.monotonic() - started


def test_everything_is_ready_and_the_doctor_agrees(site: Deployment, http: httpx.Client) -> None:
    answer = http.get("/readyz")
    assert answer.json() == {"status": "ok", "parts": dict.fromkeys(("database", "redis", "broker", "signing_keys"), "ok")}
    until(lambda: '"ok": true' in _doctor(site), seconds=60)


def _doctor(site: Deployment) -> str:
    try:
        return site.manage("doctor", "--json")
    except Exception as error:  # noqa: BLE001  not yet
        return str(error)


def test_old_tls_is_refused(site: Deployment) -> None:
    context = ssl.create_default_context(cafile=str(site.authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256:AES256-SHA:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", site.nginx.port)) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_only_redirects(site: Deployment) -> None:
    plain = site.nginx.extra["http"]
    answer = httpx.get(f"{plain}/login?x=1")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{site.url}/login?x=1")
    assert httpx.post(f"{plain}/token", data={"client_secret": CANARY}).status_code == 403


def test_pages_carry_the_headers_of_a_secure_site(http: httpx.Client) -> None:
    answer = http.get("/login")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"].count("no-store") == 1
    assert all("Secure" in cookie and "HttpOnly" in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert all(name.startswith("__Host-") for name in http.cookies)
    assert "django" not in answer.headers.get("server", "").lower()


@clause("hostile case PW-09")
def test_what_a_client_forwards_is_overwritten(site: Deployment, http: httpx.Client) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=6.6.6.6;proto=http;host=evil.example",
        "X-Real-IP": "6.6.6.6",
        "X_Forwarded_For": "7.7.7.7",
        "X-Request-ID": "forged-request-id",
    }
    answer = http.get("/.well-known/openid-configuration", headers=forged)
    assert answer.json()["issuer"] == site.url
    assert "evil.example" not in answer.text
    request_id = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert last_access_line(site, request_id)["ip"] == "127.0.0.1"


def test_another_host_is_refused(site: Deployment) -> None:
    answer = raw(site, b"GET /login HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: close\r\n\r\n0\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)
def test_ambiguous_requests_are_refused_at_the_edge(site: Deployment, request_bytes: bytes) -> None:
    answer = raw(site, request_bytes)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 404")), answer[:200]


def test_an_oversized_body_does_not_reach_the_provider(site: Deployment, http: httpx.Client) -> None:
    answer = http.post("/token", content=b"a" * 300_000, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413
    assert http.get("/login", headers={"Cookie": "a=" + "b" * 40_000}).status_code in {400, 414, 431}
    assert http.get("/login?x=" + "y" * 40_000).status_code == 414


@clause("hostile case OP-01")
def test_development_pages_do_not_exist(http: httpx.Client) -> None:
    for path in ("/playground/", "/dev/inbox", "/dev/inbox.json", "/admin/", "/admin/login/", "/__debug__/"):
        assert http.get(path).status_code == 404, path


@clause("hostile case OP-04", "hostile case CO-12")
def test_no_log_holds_what_was_sent(site: Deployment, http: httpx.Client) -> None:
    http.get(
        "/authorize", params={"client_id": "nobody", "state": CANARY, "code_challenge": CANARY, "nonce": CANARY, "id_token_hint": CANARY}
    )
    http.post("/token", data={"grant_type": "authorization_code", "code": CANARY, "client_id": "x", "client_secret": CANARY})
    http.post("/token", data={"grant_type": "refresh_token", "refresh_token": CANARY}, auth=("nobody", CANARY))
    http.get("/userinfo", headers={"Authorization": f"Bearer {CANARY}"})
    http.post("/introspect", data={"token": CANARY}, auth=("nobody", CANARY))
    assert submit(site, http, "/login", login="ada@example.org", password=CANARY).status_code == 400
    http.get(f"/password/reset/1-abc-{CANARY}1")
    for server in (site.web, site.worker, site.beat, site.nginx, site.database, site.redis):
        assert CANARY not in server.log, server.name
    assert '"status":' in site.web.log


@clause("hostile case FT-06")
def test_without_redis_people_and_apps_go_on_and_probes_say_so(site: Deployment, http: httpx.Client) -> None:
    os.kill(site.redis.process.pid, signal.SIGSTOP)
    try:
        until(lambda: http.get("/readyz").status_code == 503, seconds=10)
        answer = http.get("/readyz")
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["parts"]["redis"] == "failing"
        assert answer.json()["parts"]["database"] == "ok"
        started = time.monotonic()
        assert http.get("/login").status_code == 200
        assert http.get("/jwks").status_code == 200
        assert http.post("/token", data={"grant_type": "client_credentials"}, auth=("nobody", "x")).status_code in {400, 401}
        assert submit(site, http, "/login", login="nobody@example.org", password="a wrong password").status_code == 400
        assert submit(site, http, "/password/forgot", email="nobody@example.org").status_code in {200, 302, 303}
        assert time.monotonic() - started < 8
    finally:
        os.kill(site.redis.process.pid, signal.SIGCONT)
    until(lambda: http.get("/readyz").status_code == 200, seconds=15)


@clause("hostile case FT-01", "hostile case KT-04")
def test_without_the_database_answers_are_fast_and_everything_comes_back(site: Deployment, http: httpx.Client) -> None:
    keys = http.get("/jwks").content
    process = site.database.process
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGCONT)
    _terminate_backends(site)
    # Existing connections died; the pool makes new ones by itself.
    until(lambda: http.get("/readyz").status_code == 200, seconds=15)

    held = _stop_database(site)
    try:
        answer = http.get("/readyz")
        until(lambda: http.get("/readyz").status_code == 503, seconds=10)
        assert http.get("/livez").status_code == 200
        assert http.get("/jwks").content == keys
        assert http.get("/.well-known/openid-configuration").status_code == 200
        for path in ("/login", "/account", "/authorize?client_id=x&redirect_uri=y", "/signup", "/password/forgot"):
            started = time.monotonic()
            answer = http.get(path)
            assert answer.status_code in {200, 302, 503}, path
            assert "Traceback" not in answer.text
            if answer.status_code == 503:
                assert "retry-after" in answer.headers
            assert time.monotonic() - started < 3, path
        started = time.monotonic()
        answer = http.post("/token", data={"grant_type": "client_credentials"}, auth=("nobody", "x"))
        assert answer.status_code in {401, 503}, answer.text
        assert time.monotonic() - started < 5
    finally:
        held()
    until(lambda: http.get("/readyz").status_code == 200, seconds=15)
    assert http.get("/login").status_code == 200


def test_everything_stops_by_itself_when_asked(site: Deployment) -> None:  # the last one of this file
    started = time.monotonic()
    servers = (site.nginx, site.web, site.worker, site.beat)
    before = {server.name: len(server.log) for server in servers}
    for server in servers:
        server.begin_stop()
    assert {server.name: server.stop() for server in servers} == dict.fromkeys(("nginx", "web", "worker", "beat"), 0)
    assert time.monotonic() - started < 25
    for server in servers:
        assert "Traceback" not in server.log[before[server.name] :]


def _terminate_backends(site: Deployment) -> None:
    import psycopg

    with psycopg.connect(site.environ["IDP_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'kairos'")


def _stop_database(site: Deployment) -> Callable[[], None]:
    """Nobody can connect any more, and those who are connected are thrown out; returns what undoes it."""
    import psycopg

    address = site.environ["IDP_DATABASE_URL"].rpartition("/")[0] + "/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER DATABASE kairos ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kairos'")

    def undo() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ALTER DATABASE kairos ALLOW_CONNECTIONS true")

    return undo
