"""Linked accounts: which accounts elsewhere sign one in here, linking another one, ending one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from idp.accounts import ways_in
from idp.federation import allauth, flow, linking, upstreams
from idp.federation.reach import Unreachable
from idp.mfa import step_up
from idp.signin.continuation import Continuation
from idp.signin.upstream import go

from . import profile

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

    from idp.accounts.models import User
    from idp.federation.allauth import Link

PATH = "/account/linked"


@dataclass(frozen=True, slots=True)
class Row:
    """A linked account as the page shows it; `last` means that nothing else lets the person in."""

    link: Link
    label: str
    switched_off: bool
    last: bool


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def linked(request: HttpRequest) -> HttpResponseBase:
    """`/account/linked`. Each change needs a proof that is not older than five minutes (hostile cases BR-05, BR-06)."""
    user = cast("User", request.user)
    if request.method == "POST":
        if not step_up.is_fresh(request, user):
            return HttpResponseRedirect(f"/login?{urlencode({'again': '1', 'next': PATH})}")
        if "link" in request.POST:
            return _link(request, user, request.POST["link"])
        return _unlink(request, user, request.POST.get("unlink", ""))
    links = allauth.links_of(user)
    ways = ways_in.count(user)
    rows = [_row(one, ways) for one in links]
    held = {one.issuer for one in links}
    context: dict[str, Any] = {
        "section": "linked",
        "person": profile.display_name(user),
        "rows": rows,
        "others": [one for one in upstreams.offered() if one.issuer not in held],
        "has_password": user.has_usable_password(),
    }
    return render(request, "console/linked.html", context)


def _row(one: Link, ways: int) -> Row:
    upstream = linking.upstream_of(one.issuer)
    counts = linking.is_a_way_in(one)
    return Row(one, upstream.label if upstream is not None else one.issuer, not counts, ways <= (1 if counts else 0))


def _link(request: HttpRequest, user: User, name: str) -> HttpResponseBase:
    upstream = upstreams.find(name)
    if upstream is None:
        return redirect(PATH)
    try:
        url = flow.begin(request, upstream, continue_to=PATH, link_to=user)
    except Unreachable:
        messages.warning(request, _("%(provider)s does not answer at the moment. Try again in a minute.") % {"provider": upstream.label})
        return redirect(PATH)
    return go(request, Continuation(request), upstream, url)


def _unlink(request: HttpRequest, user: User, number: str) -> HttpResponseBase:
    refused = linking.unlink(user, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else "gone"
    if refused == "last":
        messages.warning(request, _("This is the last way in to your account. Set a password or add a passkey first."))
    elif not refused:
        messages.success(request, _("This account does not sign you in any more."))
    return redirect(PATH)
