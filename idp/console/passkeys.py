"""A person's passkeys and security keys: add one, name it, take it away. Each change needs a proof that is not older than five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from idp.interactions import browser
from idp.kernel import limits
from idp.mfa import factors, step_up
from idp.mfa.webauthn import registration
from idp.mfa.webauthn.assertion import Proved
from idp.mfa.webauthn.refused import Refused
from idp.signin.pages import passkey_refusal
from idp.signin.passkeys import answer_of, as_json

from .security import NameForm, page, person_of, prove_first

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User
    from idp.mfa.models import WebAuthnKey
    from idp.mfa.webauthn.registration import Kind

TRIES, SECONDS = 20, 900  # answers of one person


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """`/account/security/passkey`: the script asks the browser for a new one; what arrives is a form."""
    user = person_of(request)
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    if request.method != "POST":
        return page(request, "add_passkey")
    if not limits.hit("mfa.passkey.add", str(user.pk), limit=TRIES, seconds=SECONDS).allowed:
        return page(request, "add_passkey", refusal=_("Too many tries. Try again in a few minutes."), status=429)
    try:
        key = registration.complete(user, kind=_kind(request), **answer_of(request))
    except Refused as refusal:
        return page(request, "add_passkey", refusal=passkey_refusal(refusal.why), status=400)
    step_up.prove(request, user, key, client_id=None, **Proved(key, key.verified).facts)
    if factors.codes_left(user):
        messages.success(request, _("“%(name)s” was added.") % {"name": key.name})
        return redirect("account-security")
    return page(request, "recovery_codes", codes=factors.make_codes(user, request=request), added=key.name)


@never_cache
@require_POST
@login_required
def options(request: HttpRequest) -> HttpResponse:
    """`/account/security/passkey/options`: what the script asks the browser."""
    user = person_of(request)
    if not step_up.is_fresh(request, user):
        return JsonResponse({}, status=403)
    return as_json(request, registration.begin(user, kind=_kind(request), browser=browser.ensure(request)))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """`/account/security/passkey/NUMBER`: another name, or away with it."""
    user = person_of(request)
    key = _own(user, number)
    if not step_up.is_fresh(request, user):
        return prove_first(request)
    form = NameForm(initial={"name": key.name})
    if request.method == "POST" and request.POST.get("decision") == "remove":
        if factors.remove(user, key, request=request):
            messages.success(request, _("“%(name)s” was removed.") % {"name": key.name})
        else:
            messages.warning(request, _("This is your only way in. Set a password or add another passkey before you remove it."))
        return redirect("account-security")
    if request.method == "POST":
        form = NameForm(request.POST)
        if form.is_valid():
            factors.rename(user, key, form.cleaned_data["name"])
            return redirect("account-security")
    return page(
        request,
        "passkey",
        status=400 if form.is_bound else 200,
        key=key,
        form=form,
        last_way_in=factors.is_last_way_in(user, key),
        last=len(factors.keys_of(user)) + len(factors.of_person(user)) == 1,
    )


def _kind(request: HttpRequest) -> Kind:
    return "security_key" if request.POST.get("kind") == "security_key" else "passkey"


def _own(user: User, number: int) -> WebAuthnKey:
    for key in factors.keys_of(user):
        if key.pk == number:
            return key
    raise Http404
