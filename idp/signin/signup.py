"""Creating an account: address and password, then the code that proves the address, in the same browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from idp.accounts import addresses, invitations, proofs
from idp.accounts.allauth import sign_in
from idp.accounts.authentication import ip_key
from idp.accounts.destinations import is_local_path
from idp.accounts.emails import MAX_LENGTH
from idp.accounts.proofs import Purpose
from idp.federation.upstreams import home_of
from idp.kernel import limits

from . import codes, invited
from .continuation import Continuation, fields_of
from .forms import CodeForm, SignUpForm
from .pages import allowed_upstreams, handles_passwords, page, throttled
from .upstream import WAITING, leave

if TYPE_CHECKING:
    from idp.accounts.models import AddressProof, Invitation, User


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def signup(request: HttpRequest) -> HttpResponseBase:
    """`/signup`: the answer is the same whether the address is free or taken (PW-02)."""
    continuation = Continuation(request)
    token = request.GET.get("invitation")
    if token is not None and request.method != "POST":
        return _keep_invitation(request, continuation, token)
    invitation = invited.held(request)
    if settings.IDP.signup == "closed" or (settings.IDP.signup == "invitation" and invitation is None):
        return page(request, "signup_closed", continuation=continuation, by_invitation=settings.IDP.signup == "invitation", status=403)
    by_phone = _by_phone(request, invitation)
    if request.method != "POST":
        if continuation.is_lost or (request.user.is_authenticated and continuation.interaction is None):
            return HttpResponseRedirect(continuation.url)
        hint = continuation.interaction.login_hint if continuation.interaction is not None else ""
        address = invitation.address if invitation is not None and invitation.address else hint
        return _show(request, continuation, _form(by_phone, initial={"phone" if by_phone else "email": address}), by_phone)
    home = home_of(request.POST.get("email", "")[:MAX_LENGTH], allowed_upstreams(continuation)) if WAITING not in request.session else None
    if home is not None:
        return leave(request, continuation, home, login_hint=request.POST["email"][:MAX_LENGTH].strip())
    form = _form(by_phone, request.POST, passkey=request.POST.get("way") == "passkey")
    if form.is_valid() and invitation is not None and invitation.address not in ("", form.address):
        form.add_error(form.address_name, _("Your invitation is for another address. Use the one to which it was sent."))
    if not form.is_valid():
        return _show(request, continuation, form, by_phone)
    verdict = limits.hit("signin.signup.ip", ip_key(), limit=codes.IP_LIMIT, seconds=codes.IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    proof = proofs.begin_sign_up(
        form.address,
        password=form.cleaned_data["password"],
        terms_version=settings.IDP.terms_version,
        invitation=invitation.pk if invitation is not None else None,
    )
    codes.wait_for(request, codes.SIGN_UP, proof, continuation)
    return HttpResponseRedirect(continuation.along(codes.SIGN_UP.path))


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponseBase:
    """`/signup/verify`: takes the code. The link in the mail only fills it in; nothing happens by GET (EM-01)."""
    continuation = Continuation(request)
    data, proof = codes.pending(request, codes.SIGN_UP)
    if proof is None:
        if request.user.is_authenticated:
            return HttpResponseRedirect(continuation.url)
        return page(request, "verify_gone", continuation=continuation, status=400)
    if request.method != "POST":
        if (first := codes.first_look(request, codes.SIGN_UP, continuation, data)) is not None:
            return first
        return codes.show(
            request, codes.SIGN_UP, continuation, proof, CodeForm(initial={"code": codes.digits(request.GET.get("code", ""))})
        )
    form = CodeForm(request.POST)
    if not form.is_valid():
        return codes.show(request, codes.SIGN_UP, continuation, proof, form)
    verdict = proofs.confirm(proof.pk, form.cleaned_data["code"])
    if verdict.user is not None:
        del request.session[codes.SIGN_UP.key]
        invited.forget(request)
        return _signed_up(request, continuation, data, proof, verdict.user)
    if verdict.refusal == "taken":
        # Only who read the mail comes here: in another window the same sign-up was finished first, or the same invitation used.
        del request.session[codes.SIGN_UP.key]
        return HttpResponseRedirect(continuation.along("/login", done="registered"))
    form.add_error("code", codes.refusal(verdict))
    return codes.show(request, codes.SIGN_UP, continuation, proof, form)


def _signed_up(request: HttpRequest, continuation: Continuation, data: dict[str, Any], proof: AddressProof, user: User) -> HttpResponseBase:
    """Into the account, whoever chose a passkey instead of a password past the page that makes it."""
    target = continuation.url if continuation.fields else data.get("continue")
    target = target if is_local_path(target) else settings.LOGIN_REDIRECT_URL
    method = data.get("method", "password")  # how the sign-in began that waited for this
    if proof.purpose == Purpose.SIGN_UP and not user.has_usable_password():
        carried = urlencode(fields_of(target))
        target = f"/signup/passkey?{carried}" if carried else "/signup/passkey"
        method = "sms" if addresses.is_phone(proof.address) else "email"
    with transaction.atomic():
        return sign_in(
            request,
            user,
            continue_to=target,
            client_id=continuation.client_id or data.get("client"),
            signup=proof.purpose == Purpose.SIGN_UP,
            method=method,
        )


@require_POST
def resend(request: HttpRequest) -> HttpResponseBase:
    """`/signup/verify/resend`: a new code, when it is time."""
    return codes.resend(request, codes.SIGN_UP, "verify_gone")


def _form(by_phone: bool, *args: Any, **kwargs: Any) -> SignUpForm:
    return SignUpForm(*args, by_phone=by_phone, terms=bool(settings.IDP.terms_version), **kwargs)


def _show(request: HttpRequest, continuation: Continuation, form: SignUpForm, by_phone: bool) -> HttpResponseBase:
    other = ""
    if settings.IDP.signup_with == "either":
        other = continuation.along("/signup", **{"with": "email" if by_phone else "phone"})
    return page(
        request, "signup", continuation=continuation, form=form, address=form[form.address_name], by_phone=by_phone, other_url=other
    )


def _by_phone(request: HttpRequest, invitation: Invitation | None) -> bool:
    if invitation is not None and invitation.address:
        return addresses.is_phone(invitation.address)
    if settings.IDP.signup_with == "either":
        return (request.POST.get("with") or request.GET.get("with")) == "phone"
    return bool(settings.IDP.signup_with == "phone")


def _keep_invitation(request: HttpRequest, continuation: Continuation, token: str) -> HttpResponseBase:
    # Out of the address bar at the first hit (EM-16); only a good one makes a session, or anybody could fill the table.
    invitation = invitations.find(token)
    if invitation is None:
        return page(request, "signup_closed", continuation=continuation, by_invitation=True, status=403)
    invited.keep(request, invitation)
    return HttpResponseRedirect(continuation.along("/signup"))
