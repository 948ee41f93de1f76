"""A person's own data: take it along, or have it erased."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from idp.accounts import erasure
from idp.accounts.allauth import LEAVING
from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.kernel import clock
from idp.oidc.logout import ended_elsewhere

from . import connected, export, link_cookie, profile
from .protected import protected

if TYPE_CHECKING:
    from django.http import HttpRequest

COOKIE = "keep"
PROOF_LASTS = timedelta(minutes=10)  # of a password that was right, for somebody who is about to be erased


@require_safe
@login_required
def data(request: HttpRequest) -> HttpResponse:
    """`/account/data`: the file, and the way out."""
    user = cast("User", request.user)
    return _page(request, "data", user, export=export.of_person(user), grace=settings.IDP.deletion_grace_days)


@require_POST
@protected
def ask_export(request: HttpRequest) -> HttpResponse:
    """`/account/data/export`: have the file prepared."""
    export.ask(cast("User", request.user))
    return redirect("account-data")


@require_safe
@protected
def download(request: HttpRequest, form: str) -> HttpResponse:
    """`/account/data/download/json` and `…/html`: the prepared file."""
    user = cast("User", request.user)
    row = export.of_person(user)
    if row is None or row.ready_at is None or form not in ("json", "html"):
        return redirect("account-data")
    document = export.opened(row)
    emit(catalogue.ExportDownloaded(form=form), person=user.pk)
    if form == "json":
        response = HttpResponse(json.dumps(document, ensure_ascii=False, indent=2), content_type="application/json; charset=utf-8")
    else:
        response = HttpResponse(export.as_html(document), content_type="text/html; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="my-data.{form}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@protected
def delete(request: HttpRequest) -> HttpResponse:
    """`/account/delete`: what it means, then the wish; everything ends at once, erased is after the grace period."""
    user = cast("User", request.user)
    wanted = request.POST.get("sure") == "yes"
    if request.method == "POST" and wanted:
        ended_elsewhere.end_all(user.pk)
        due = erasure.ask(user)
        logout(request)
        return render(request, "console/leaving.html", {"state": "asked", "due": due, "grace": settings.IDP.deletion_grace_days})
    missing = request.method == "POST"
    status = 400 if missing else 200
    apps = connected.apps(user)
    return _page(request, "delete", user, apps=apps, grace=settings.IDP.deletion_grace_days, missing=missing, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: HttpRequest) -> HttpResponse:
    """`/account/keep`: stay after all, by the link in the mail or right after the password. Opening it changes nothing (EM-01)."""
    response = link_cookie.moved(request, COOKIE)
    if response is not None:
        return response
    user = _leaving(request)
    if user is None:
        return render(request, "console/leaving.html", {"state": "gone"}, status=400)
    if request.method != "POST":
        return render(request, "console/leaving.html", {"state": "ask", "due": user.erase_at})
    kept = erasure.keep(user)
    request.session.pop(LEAVING, None)
    state, status = ("kept", 200) if kept else ("gone", 400)
    return link_cookie.spent(render(request, "console/leaving.html", {"state": state}, status=status), COOKIE)


def _leaving(request: HttpRequest) -> User | None:
    user = erasure.person_of(link_cookie.held(request, COOKIE))
    proved: Any = request.session.get(LEAVING)
    if user is None and isinstance(proved, dict) and clock.now().timestamp() - proved.get("at", 0) < PROOF_LASTS.total_seconds():
        user = User.objects.filter(pk=UUID(proved["person"]), is_active=False, erase_at__gt=clock.now()).first()
    return user


def _page(request: HttpRequest, name: str, user: User, *, status: int = 200, **context: Any) -> HttpResponse:
    scope = {"section": "data", "person": profile.display_name(user), **context}
    return render(request, f"console/{name}.html", scope, status=status)
