"""Signing in with a code or a link instead of a password. It works in the browser that asked, and nowhere else (hostile case EM-04)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import addresses, proofs
from idp.accounts.allauth import sign_in
from idp.accounts.authentication import ip_key
from idp.accounts.destinations import is_local_path
from idp.kernel import limits

from . import codes
from .continuation import Continuation
from .forms import CodeForm
from .pages import page, throttled

if TYPE_CHECKING:
    from typing import Any

    from idp.accounts.models import AddressProof


def possible(address: str) -> bool:
    """Whether something can be sent to this canonical address that signs in."""
    methods = set(settings.IDP.sign_in_methods)
    return bool(methods & ({"sms_code"} if addresses.is_phone(address) else {"email_code", "magic_link"}))


def offered() -> bool:
    """Whether there is another way than the password."""
    return bool(set(settings.IDP.sign_in_methods) - {"password"})


def begin(request: HttpRequest, continuation: Continuation, address: str) -> HttpResponseBase:
    """Send what signs in to this canonical address; the answer is the same whether somebody has it (PW-01)."""
    verdict = limits.hit("signin.code.ip", ip_key(), limit=codes.IP_LIMIT, seconds=codes.IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    codes.wait_for(request, codes.SIGN_IN, proofs.begin_code(address), continuation)
    return HttpResponseRedirect(continuation.along(codes.SIGN_IN.path))


@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponseBase:
    """`/login/code`: takes the code, or the link that was opened here. Nothing happens by GET (EM-01)."""
    continuation = Continuation(request)
    data, proof = codes.pending(request, codes.SIGN_IN)
    if proof is None:
        if request.user.is_authenticated and "link" not in request.GET:
            return HttpResponseRedirect(continuation.url)
        return page(request, "link_elsewhere", continuation=continuation, status=400)
    if request.method != "POST":
        return _look(request, continuation, data, proof)
    if "with_link" in request.POST:
        verdict = proofs.confirm_link(proof.pk, str(data.get("link", "")))
        form = CodeForm()
    else:
        form = CodeForm(request.POST)
        if not form.is_valid():
            return codes.show(request, codes.SIGN_IN, continuation, proof, form)
        verdict = proofs.confirm(proof.pk, form.cleaned_data["code"], request=request)
    if verdict.user is None:
        if not form.is_bound:
            del request.session[codes.SIGN_IN.key]
            return page(request, "link_elsewhere", continuation=continuation, status=400)
        form.add_error("code", codes.refusal(verdict))
        return codes.show(request, codes.SIGN_IN, continuation, proof, form, locked=verdict.retry_after)
    del request.session[codes.SIGN_IN.key]
    target = continuation.url if continuation.fields else data.get("continue")
    with transaction.atomic():
        return sign_in(
            request,
            verdict.user,
            continue_to=target if is_local_path(target) else settings.LOGIN_REDIRECT_URL,
            client_id=continuation.client_id or data.get("client"),
            method="sms" if addresses.is_phone(proof.address) else "email",
        )


@require_POST
def resend(request: HttpRequest) -> HttpResponseBase:
    """`/login/code/resend`: another one, when it is time."""
    return codes.resend(request, codes.SIGN_IN, "link_elsewhere")


def _look(request: HttpRequest, continuation: Continuation, data: dict[str, Any], proof: AddressProof) -> HttpResponseBase:
    link = request.GET.get("link")
    if link is not None:
        if proofs.with_link(proof.pk, link) is None:
            return page(request, "link_elsewhere", continuation=continuation, status=400)
        # Out of the address bar at the first hit (EM-16).
        request.session[codes.SIGN_IN.key] = {**data, "link": link}
        return HttpResponseRedirect(codes.SIGN_IN.path)
    if (first := codes.first_look(request, codes.SIGN_IN, continuation, data)) is not None:
        return first
    if proofs.with_link(proof.pk, str(data.get("link", ""))) is not None:
        return page(request, "link_opened", continuation=continuation, address=proof.address)
    return codes.show(request, codes.SIGN_IN, continuation, proof, CodeForm(initial={"code": codes.digits(request.GET.get("code", ""))}))
