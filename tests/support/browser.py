"""A small browser without JavaScript: cookies, redirects, forms. It talks to the provider in process or over a socket.

`Send` is all that it needs of a transport; `through_wsgi` calls a WSGI application in this process (Django's own, or the
thin door before it), `through_http` a running server.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urljoin, urlsplit

FORM = "application/x-www-form-urlencoded"
Parameters = Mapping[str, Any] | Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Sent:
    """A request, as bytes where somebody hostile would choose them."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def values(self) -> list[str]:
        """Every parameter value in it, decoded leniently: what an answer must not repeat."""
        query = urlsplit(self.target).query
        encoded = [query, self.body.decode("latin-1") if "json" not in self.headers.get("Content-Type", "") else ""]
        return [value for text in encoded for _, value in parse_qsl(text, errors="replace")]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and the request that it answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sent: Sent

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        import json

        return json.loads(self.body)

    @property
    def location(self) -> str:
        """Where it redirects to. Fails when it does not."""
        where = self.header("Location")
        assert where is not None, f"no redirect: {self.status} {self.body[:600]!r}"
        return where

    def form(self, *, having: str = "") -> Form:
        """The first form of the page, or the first that has an element with the id `having`."""
        reader = _Forms()
        reader.feed(self.text)
        found = [form for form in reader.forms if not having or having in form.ids]
        assert found, f"no form with {having or 'anything'}: {self.status} {self.text[:600]}"
        return found[0]


@dataclass
class Form:
    """A form of a page: where it goes, what it carries; buttons by id."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(a.get("action", ""), a.get("method", "get").lower())
            self.forms.append(self._open)
        if self._open is None:
            return
        if "id" in a:
            self._open.ids.add(a["id"])
        if tag == "button":
            self._open.buttons[a.get("id", "")] = (a.get("name", ""), a.get("value", ""))
        elif tag == "input" and a.get("name") and (a.get("type") not in ("checkbox", "radio") or "checked" in a):
            self._open.fields[a["name"]] = a.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


Send = Callable[[Sent], tuple[int, list[tuple[str, str]], bytes]]


def through_wsgi(application: Callable[..., Iterable[bytes]], *, origin: str, ip: str = "127.0.0.1") -> Send:
    """Call a WSGI application in this process. What it could not handle is raised here, not hidden in a 500."""
    from django.core.signals import got_request_exception, request_finished, request_started
    from django.db import close_old_connections, connection

    parts = urlsplit(origin)

    def send(request: Sent) -> tuple[int, list[tuple[str, str]], bytes]:
        path, _, query = request.target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": parts.hostname or "",
            "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": ip,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            environ["CONTENT_LENGTH"] = str(len(request.body))
        for name, value in {"Host": parts.netloc, **request.headers}.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        began: list[tuple[str, list[tuple[str, str]]]] = []
        inside_a_test_transaction = connection.in_atomic_block
        unforeseen: list[BaseException] = []

        def note(sender: object, **_: object) -> None:
            error = sys.exc_info()[1]
            unforeseen.extend([error] if error else [])

        got_request_exception.connect(note, weak=False)
        if inside_a_test_transaction:  # as Django's own test client: the end of a request must not end the test's transaction
            for signal in (request_started, request_finished):
                signal.disconnect(close_old_connections)
        try:
            result = application(environ, lambda status, headers, exc_info=None: began.append((status, headers)))
            body = b"".join(result)
            if hasattr(result, "close"):
                result.close()
        finally:
            got_request_exception.disconnect(note)
            if inside_a_test_transaction:
                for signal in (request_started, request_finished):
                    signal.connect(close_old_connections)
        if unforeseen:
            raise unforeseen[0]
        status, headers = began[0]
        return int(status[:3]), headers, b"" if request.method == "HEAD" else body  # the server's part (RFC 9110 9.3.2)

    return send


def through_http(origin: str) -> Send:
    """A running server, over a socket; one kept-alive connection per thread of the caller."""
    import httpx

    client = httpx.Client(base_url=origin, follow_redirects=False, trust_env=False, timeout=30)

    def send(request: Sent) -> tuple[int, list[tuple[str, str]], bytes]:
        answer = client.request(request.method, request.target, headers=dict(request.headers), content=request.body)
        return answer.status_code, list(answer.headers.multi_items()), answer.content

    return send


class Browser:
    """One person's browser at the provider. Every answer is checked: never a 5xx, whatever was sent."""

    def __init__(self, send: Send, *, origin: str) -> None:
        self.send, self.origin = send, origin
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, url: str, *, form: Parameters | None = None, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, redirects not followed. `form` is encoded; `body` goes as it is."""
        parts = urlsplit(urljoin(self.origin, url))
        assert f"{parts.scheme}://{parts.netloc}" == self.origin, f"leaves the provider: {url}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent_headers = {"Content-Type": FORM} if form is not None else {}
        if form is not None:
            body = encoded(form).encode()
        if self.cookies:
            sent_headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = Sent(method, target, {**sent_headers, **(headers or {})}, body)
        status, found, content = self.send(sent)
        answer = Answer(status, tuple(found), content, sent)
        assert status < 500, f"{status} for {method} {target[:300]}: {content[:600]!r}"
        self._keep_cookies(answer)
        return answer

    def get(self, url: str, **headers: str) -> Answer:
        return self.request("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, url: str, form: Parameters, **headers: str) -> Answer:
        return self.request("POST", url, form=form, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def follow(self, answer: Answer) -> Answer:
        """Follow redirects as long as they stay at the provider; the answer that does not, or that is a page."""
        for _ in range(10):
            if answer.status not in (301, 302, 303):
                return answer
            where = urljoin(urljoin(self.origin, answer.sent.target), answer.location)
            if not where.startswith(self.origin + "/"):
                return answer
            answer = self.get(where.removeprefix(self.origin))
        raise AssertionError(f"redirected in a circle: {answer.sent.target}")

    def visit(self, url: str) -> Answer:
        """GET, and follow."""
        return self.follow(self.get(url))

    def submit(self, page: Answer, *, button: str = "", origin: str | None = None, **values: str) -> Answer:
        """Fill in and send the form that has `button` (or the first one); redirects not followed."""
        form = page.form(having=button)
        fields = {**form.fields, **values}
        if button and form.buttons.get(button, ("", ""))[0]:
            name, value = form.buttons[button]
            fields[name] = value
        here = urljoin(self.origin, page.sent.target)
        return self.post(urljoin(here, form.action) if form.action else here, fields, Origin=origin or self.origin)

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() != "set-cookie":
                continue
            for key, morsel in SimpleCookie(value).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.value


def encoded(parameters: Parameters) -> str:
    """Form encoding (RFC 6749 Appendix B); a list as value repeats the name, None leaves it out."""
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    flat = [(name, one) for name, value in pairs for one in (value if isinstance(value, list | tuple) else [value]) if one is not None]
    return urlencode(flat, quote_via=quote)
