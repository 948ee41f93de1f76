"""The playground's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from . import notebook as notebooks
from . import relying_party
from .registration import SCOPE, registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from .notebook import Notebook
    from .registration import Registration

COOKIE = "kairos_playground"
# Buttons that ask for a sign-in with something extra.
PRESETS: dict[str, dict[str, str]] = {
    "": {},
    "login": {"prompt": "login"},
    "none": {"prompt": "none"},
    "consent": {"prompt": "consent"},
    "select_account": {"prompt": "select_account"},
    "create": {"prompt": "create"},
    "max_age": {"max_age": "60"},
    "form_post": {"response_mode": "form_post"},
}
ACTIONS: dict[str, Callable[[Notebook, Registration], None]] = {
    "refresh": relying_party.refresh,
    "userinfo": relying_party.userinfo,
    "introspect": relying_party.introspect,
    "revoke": relying_party.revoke,
    "replay": relying_party.redeem,
}


def _open(request: HttpRequest) -> tuple[str, Notebook]:
    return notebooks.open_notebook(request.COOKIES.get(COOKIE, ""))


def _with_cookie(response: HttpResponse, key: str) -> HttpResponse:
    response.set_cookie(COOKIE, key, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, path="/playground/")
    return response


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The page: what can be done, what was done."""
    key, notebook = _open(request)
    context = {
        "notebook": notebook,
        "steps": [(number, step) for number, step in enumerate(notebook.steps, start=1)],
        "presets": [name for name in PRESETS if name],
        "issuer": settings.IDP.issuer,
        "redirect_uri": registration().redirect_uri,
        "scope": SCOPE,
        "scopes": SCOPE.split()[1:],
    }
    return _with_cookie(render(request, "playground/index.html", context), key)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider."""
    key, notebook = _open(request)
    extra = dict(PRESETS.get(request.POST.get("preset", ""), {}))
    for name in ("prompt", "max_age", "login_hint", "response_mode", "acr_values", "ui_locales", "claims"):
        if value := request.POST.get(name, "").strip()[:1000]:
            extra[name] = value
    wanted = [scope for scope in SCOPE.split() if scope == "openid" or scope in request.POST.getlist("scope")]
    scope = " ".join(wanted) if "scope" in request.POST else "openid profile email"
    try:
        target = relying_party.authorization_url(notebook, registration(), scope=scope, extra=extra)
    except relying_party.Unreachable:
        target = "/playground/#last"
    return _with_cookie(HttpResponseRedirect(target), key)


@csrf_exempt  # `state` is what protects this address; the answer may come as a form from the provider (response_mode=form_post)
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest) -> HttpResponse:
    """The registered redirect URI. Shows nothing itself, so that reloading the page never redeems a code twice."""
    key, notebook = _open(request)
    received = request.POST if request.method == "POST" else request.GET
    try:
        answer = {name: value for name, value in received.items() if isinstance(value, str)}
        relying_party.receive(notebook, registration(), method=request.method or "GET", answer=answer)
    except relying_party.Unreachable:
        pass  # the notebook shows it
    return _with_cookie(redirect("/playground/#last"), key)


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """One of the buttons that work on tokens."""
    key, notebook = _open(request)
    name = request.POST.get("action", "")
    target = "/playground/#last"
    try:
        if name == "clear":
            notebook.steps.clear()
            target = "/playground/"
        elif name == "sign-out":
            target = relying_party.logout_url(notebook, registration())
        elif name in ACTIONS:
            ACTIONS[name](notebook, registration())
    except relying_party.Unreachable:
        pass  # the notebook shows it
    return _with_cookie(HttpResponseRedirect(target), key)
