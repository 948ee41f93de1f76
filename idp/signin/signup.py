"""Creating an account: address and password, then the code that proves the address, in the same browser."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import proofs
from idp.accounts.allauth import PROOF_KEY, sign_in
from idp.accounts.authentication import ip_key
from idp.accounts.destinations import is_local_path
from idp.accounts.emails import MAX_LENGTH
from idp.accounts.models import AddressProof
from idp.federation.upstreams import home_of
from idp.kernel import clock, limits

from .continuation import Continuation, fields_of
from .forms import CodeForm, SignUpForm
from .pages import allowed_upstreams, handles_passwords, page, throttled, wait_words
from .upstream import WAITING, leave

IP_LIMIT = 60  # sign-ups, and as many further codes, from one address in five minutes
IP_SECONDS = 300


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def signup(request: HttpRequest) -> HttpResponseBase:
    """`/signup`: the answer is the same whether the address is free or taken (PW-02)."""
    continuation = Continuation(request)
    if settings.IDP.signup != "open":
        return page(request, "signup_closed", continuation=continuation, status=403)
    if request.method != "POST":
        if continuation.is_lost or (request.user.is_authenticated and continuation.interaction is None):
            return HttpResponseRedirect(continuation.url)
        hint = continuation.interaction.login_hint if continuation.interaction is not None else ""
        return page(request, "signup", continuation=continuation, form=SignUpForm(initial={"email": hint}))
    home = home_of(request.POST.get("email", "")[:MAX_LENGTH], allowed_upstreams(continuation)) if WAITING not in request.session else None
    if home is not None:
        return leave(request, continuation, home, login_hint=request.POST["email"].strip())
    form = SignUpForm(request.POST)
    if not form.is_valid():
        return page(request, "signup", continuation=continuation, form=form)
    verdict = limits.hit("signin.signup.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    proof = proofs.begin_sign_up(email=form.cleaned_data["email"], password=form.cleaned_data["password"])
    request.session[PROOF_KEY] = {"id": str(proof.pk), "continue": continuation.url, "client": continuation.client_id}
    return HttpResponseRedirect(continuation.along("/signup/verify"))


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponseBase:
    """`/signup/verify`: takes the code. The link in the mail only fills it in; nothing happens by GET (EM-01)."""
    continuation = Continuation(request)
    pending, proof = _pending(request)
    if proof is None:
        if request.user.is_authenticated:
            return HttpResponseRedirect(continuation.url)
        return page(request, "verify_gone", continuation=continuation, status=400)
    if request.method != "POST":
        code = _digits(request.GET.get("code", ""))
        carried = fields_of(pending.get("continue", ""))
        if carried and not continuation.fields:
            # The link in the mail does not know which app waits; this browser does.
            return HttpResponseRedirect("/signup/verify?" + urlencode([*carried, *([("code", code)] if code else [])]))
        return _show(request, continuation, proof, CodeForm(initial={"code": code}))
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _show(request, continuation, proof, form)
    verdict = proofs.confirm(proof.pk, form.cleaned_data["code"])
    if verdict.user is not None:
        del request.session[PROOF_KEY]
        target = continuation.url if continuation.fields else pending.get("continue")
        with transaction.atomic():
            return sign_in(
                request,
                verdict.user,
                continue_to=target if is_local_path(target) else settings.LOGIN_REDIRECT_URL,
                client_id=continuation.client_id or pending.get("client"),
                signup=proof.purpose == AddressProof.Purpose.SIGN_UP,
            )
    if verdict.refusal == "taken":
        # Only who read the mail comes here: in another window the same sign-up was finished first.
        del request.session[PROOF_KEY]
        return HttpResponseRedirect(continuation.along("/login", done="registered"))
    form.add_error("code", _refusal(verdict))
    return _show(request, continuation, proof, form)


@require_POST
def resend(request: HttpRequest) -> HttpResponseBase:
    """`/signup/verify/resend`: a new code, when it is time."""
    continuation = Continuation(request)
    _pending_data, proof = _pending(request)
    if proof is None:
        return page(request, "verify_gone", continuation=continuation, status=400)
    verdict = limits.hit("signin.resend.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    if not proofs.resend(proof):
        return _show(request, continuation, proof, CodeForm(), early=True)
    return HttpResponseRedirect(continuation.along("/signup/verify", sent="1"))


def _pending(request: HttpRequest) -> tuple[dict[str, Any], AddressProof | None]:
    data = request.session.get(PROOF_KEY)
    if not isinstance(data, dict):
        return {}, None
    return data, proofs.find_open(UUID(data["id"]))


def _show(
    request: HttpRequest, continuation: Continuation, proof: AddressProof, form: CodeForm, *, early: bool = False
) -> HttpResponseBase:
    due = proofs.resend_after(proof)
    wait = math.ceil((due - clock.now()).total_seconds()) if due is not None else 0
    return page(
        request,
        "verify",
        continuation=continuation,
        form=form,
        email=proof.email,
        minutes=proofs.LIFE.seconds // 60,
        can_resend=due is not None,
        resend_in=wait_words(wait) if wait > 0 else "",
        early=early,
        sent=request.GET.get("sent") == "1" and not form.is_bound,
        status=429 if early else 200,
    )


def _refusal(verdict: proofs.Verdict) -> str:
    if verdict.refusal == "spent":
        return _("This code does not work any more. Ask for a new one.")
    text = ngettext(
        "This code is not right. %(count)d try is left.", "This code is not right. %(count)d tries are left.", verdict.tries_left
    )
    return text % {"count": verdict.tries_left}


def _digits(text: str) -> str:
    return text if len(text) == 6 and text.isascii() and text.isdigit() else ""
