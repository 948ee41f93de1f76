"""What the account pages say about a person, and the page on which they change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from idp.accounts import address_change, claims
from idp.accounts import profile as stored_profile
from idp.accounts.attributes import attributes
from idp.consent import wording
from idp.kernel import strict_json

from .profile_form import ProfileForm

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User

_SHOWN_ELSEWHERE = {"name", "phone_number", "phone_number_verified", "picture"}
STATUS = 422  # RFC 9110 15.5.21: understood, and not of a kind that can be kept


def display_name(user: User) -> str:
    """The person's name, else the e-mail address, else the identifier."""
    return str(claims.standard_claims(user).get("name") or user.email or user.pk)


def details(user: User) -> list[tuple[str, str]]:
    """Label and value of everything that is known about the person beside name and addresses."""
    known = claims.stored(user)
    shown = (each for name, each in attributes().items() if name in known and name not in _SHOWN_ELSEWHERE and "person" in each.read)
    lines = ((str(each.label), wording.in_words(known[each.name])) for each in shown)
    return [(label, words) for label, words in lines if words]


@require_http_methods(["GET", "HEAD", "POST", "PATCH"])
@login_required
def edit(request: HttpRequest) -> HttpResponse:
    """`/account/profile`: see and change what is known. Whoever asks for JSON gets it; PATCH takes a merge patch (RFC 7396)."""
    user = cast("User", request.user)
    if request.method == "PATCH" or _wants_json(request):
        return _as_json(request, user)
    values = claims.stored(user)
    version = _version(user)
    if request.method != "POST":
        return _page(request, user, ProfileForm(values=values, initial={"version": version}))
    form = ProfileForm(request.POST, values=values)
    if not form.is_valid():
        return _page(request, user, form)
    if form.cleaned_data["version"] != version:
        # Another window was quicker: showing this form's values as if they were the newest would undo that.
        fresh = ProfileForm(values=values, initial={"version": version})
        return _page(request, user, fresh, status=409, overtaken=True)
    try:
        changed = stored_profile.change(user, form.changes(), role="person")
    except claims.ClaimError as error:
        form.refuse(error)
        return _page(request, user, form)
    if changed:
        messages.success(request, _("Your profile is saved."))
    return redirect("account-profile")


def _as_json(request: HttpRequest, user: User) -> HttpResponse:
    if request.method == "PATCH":
        try:
            changes = strict_json.loads(request.body.decode("utf-8"))
        except ValueError:
            return JsonResponse({"problems": [{"path": "", "reason": _("This is not JSON.")}]}, status=400)
        if not isinstance(changes, dict):
            return JsonResponse({"problems": [{"path": "", "reason": _("This must be a JSON object.")}]}, status=STATUS)
        try:
            stored_profile.change(user, changes, role="person")
        except claims.ClaimError as error:
            problems = [{"path": problem.path, "reason": problem.reason} for problem in error.problems]
            return JsonResponse({"problems": problems}, status=STATUS)
    elif request.method == "POST":
        return JsonResponse(
            {"problems": [{"path": "", "reason": _("Send changes with PATCH.")}]}, status=405, headers={"Allow": "GET, PATCH"}
        )
    readable = {name for name, each in attributes().items() if "person" in each.read}
    return JsonResponse({name: value for name, value in claims.stored(user).items() if name in readable})


def _wants_json(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _version(user: User) -> str:
    return user.updated_at.isoformat()


def _page(request: HttpRequest, user: User, form: ProfileForm, *, status: int = 200, **context: Any) -> HttpResponse:
    waiting = {kind.value: row.address for kind in address_change.kinds() if (row := address_change.waiting(user, kind)) is not None}
    phones = address_change.Kind.PHONE in address_change.kinds()
    scope = {
        "section": "profile",
        "person": display_name(user),
        "account": user,
        "waiting": waiting,
        "phones": phones,
        "form": form,
        **context,
    }
    return render(request, "console/profile.html", scope, status=STATUS if form.is_bound and form.errors else status)
