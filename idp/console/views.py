"""HTTP in and out of a person's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from idp.mfa import factors
from idp.sessions import current as current_session

from . import connected, devices, profile

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User


def _person(request: HttpRequest) -> User:
    return cast("User", request.user)


def _identifier(request: HttpRequest, name: str) -> str:
    """An identifier of ours that a form sent back; empty when it cannot be one (PostgreSQL refuses NUL, for example)."""
    value = request.POST.get(name, "")
    return value if len(value) <= 255 and value.isascii() and value.isprintable() else ""


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """The bare address of the provider leads to the account, or to the sign-in page."""
    return redirect("/account" if request.user.is_authenticated else "/login")


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """Some browsers ask for the icon here whatever the page says."""
    answer = HttpResponseRedirect(static("kairos/favicon.ico"))
    answer["Cache-Control"] = "public, max-age=86400"
    return answer


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Who you are, in one glance."""
    user = _person(request)
    context = {
        "section": "overview",
        "person": profile.display_name(user),
        "account": user,
        "email_verified": user.email_verified,
        "has_password": user.has_usable_password(),
        "factors_count": len(factors.of_person(user)),
        "keys_count": len(factors.keys_of(user)),
        "details": profile.details(user),
        "apps_count": len(connected.apps(user)),
        "sessions_count": len(devices.of_person(user, here="")),
    }
    return render(request, "console/overview.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def apps(request: HttpRequest) -> HttpResponse:
    """Apps with access: see them, take access back."""
    user = _person(request)
    if request.method == "POST":
        name = connected.disconnect(user=user, client_id=_identifier(request, "client_id"))
        if name is not None:
            messages.success(request, _("%(app)s no longer has access.") % {"app": name})
        return redirect("account-apps")
    context = {"section": "apps", "person": profile.display_name(user), "apps": connected.apps(user)}
    return render(request, "console/apps.html", context)


@require_safe
@login_required
def receipt(request: HttpRequest) -> HttpResponse:
    """`/account/apps/receipt`: one app, and what the person agreed to; with `as=json` to keep."""
    user = _person(request)
    client_id = request.GET.get("client_id", "")
    app = next((app for app in connected.apps(user) if app.client_id == client_id), None)
    if app is None:
        raise Http404
    if request.GET.get("as") == "json" and app.receipt is not None:
        answer = JsonResponse(connected.receipt(app, user=user), json_dumps_params={"indent": 2})
        answer["Content-Disposition"] = 'attachment; filename="receipt.json"'
        return answer
    download = f"/account/apps/receipt?{urlencode({'client_id': client_id, 'as': 'json'})}"
    context = {"section": "apps", "person": profile.display_name(user), "app": app, "download_url": download}
    return render(request, "console/receipt.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in: see it, end one session or all others."""
    user = _person(request)
    current = current_session(request)
    here = current.sid if current is not None else ""
    if request.method == "POST":
        if request.POST.get("decision") == "end-all":
            devices.sign_out_everywhere(user)
            logout(request)
            return redirect("login")
        if request.POST.get("decision") == "end-others":
            ended = devices.sign_out_others(user, here=here)
        else:
            sid = _identifier(request, "sid")
            ended = int(sid != here and devices.sign_out(user, sid=sid))
        if ended:
            messages.success(
                request, ngettext("Signed out in %(count)d browser.", "Signed out in %(count)d browsers.", ended) % {"count": ended}
            )
        return redirect("account-sessions")
    context = {"section": "sessions", "person": profile.display_name(user), "devices": devices.of_person(user, here=here)}
    return render(request, "console/sessions.html", context)
