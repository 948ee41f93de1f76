"""The page that takes a code: one for signing up, signing in and recovering. What waits for the code is known by the browser that asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from idp.accounts import addresses, proofs
from idp.accounts.allauth import PROOF_KEY
from idp.accounts.authentication import ip_key
from idp.accounts.proofs import Purpose
from idp.kernel import clock, limits

from .continuation import Continuation, fields_of
from .forms import CodeForm
from .pages import page, throttled, wait_words

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import AddressProof

IP_LIMIT = 60  # of sign-ups, of codes to sign in, of recoveries, and of further codes, from one network in five minutes
IP_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One use of the page: its address, where another address is given, and under which key the session keeps what waits."""

    key: str
    path: str
    restart: str
    purposes: tuple[Purpose, ...]


SIGN_UP = Step(PROOF_KEY, "/signup/verify", "/signup", (Purpose.SIGN_UP, Purpose.SIGN_IN))
SIGN_IN = Step("sign_in_code", "/login/code", "/login", (Purpose.CODE,))
RECOVERY = Step("recovery_code", "/password/forgot/sent", "/password/forgot", (Purpose.RECOVERY,))


def wait_for(request: HttpRequest, step: Step, proof: AddressProof, continuation: Continuation) -> None:
    """From now on this browser may enter the code of `proof`."""
    request.session[step.key] = {"id": str(proof.pk), "continue": continuation.url, "client": continuation.client_id}


def pending(request: HttpRequest, step: Step) -> tuple[dict[str, Any], AddressProof | None]:
    """What this browser waits for, and what it remembered with it."""
    data = request.session.get(step.key)
    if not isinstance(data, dict):
        return {}, None
    return data, proofs.find_open(UUID(data["id"]), *step.purposes)


def first_look(request: HttpRequest, step: Step, continuation: Continuation, data: dict[str, Any]) -> HttpResponseBase | None:
    """The link in a message does not know which app waits; this browser does: the page then says itself where it leads."""
    carried = fields_of(data.get("continue", ""))
    if not carried or continuation.fields:
        return None
    code = digits(request.GET.get("code", ""))
    return HttpResponseRedirect(f"{step.path}?" + urlencode([*carried, *([("code", code)] if code else [])]))


def show(
    request: HttpRequest,
    step: Step,
    continuation: Continuation,
    proof: AddressProof,
    form: CodeForm,
    *,
    early: bool = False,
    locked: int = 0,
) -> HttpResponseBase:
    """The page; `early`: a new code was asked for too soon; `locked`: for so many seconds no code is looked at."""
    due = proofs.resend_after(proof)
    wait = math.ceil((due - clock.now()).total_seconds()) if due is not None else 0
    response = page(
        request,
        "verify",
        continuation=continuation,
        form=form,
        step=step,
        again_url=continuation.along(step.restart, **({"switch": "1"} if step is SIGN_IN else {})),
        address=addresses.readable(proof.address),
        by_phone=addresses.is_phone(proof.address),
        has_code=proofs.has_code(proof),
        minutes=proofs.minutes(proof),
        can_resend=due is not None,
        resend_in=wait_words(wait) if wait > 0 else "",
        early=early,
        sent=request.GET.get("sent") == "1" and not form.is_bound,
        status=429 if early or locked else 200,
    )
    if locked:
        response["Retry-After"] = str(locked)
    return response


def resend(request: HttpRequest, step: Step, gone: str) -> HttpResponseBase:
    """A new code, when it is time; `gone` is the page for a browser that waits for none."""
    continuation = Continuation(request)
    _data, proof = pending(request, step)
    if proof is None:
        return page(request, gone, continuation=continuation, status=400)
    verdict = limits.hit("signin.resend.ip", ip_key(), limit=IP_LIMIT, seconds=IP_SECONDS)
    if not verdict.allowed:
        return throttled(request, continuation=continuation, retry_after=verdict.retry_after)
    if not proofs.resend(proof):
        return show(request, step, continuation, proof, CodeForm(), early=True)
    return HttpResponseRedirect(continuation.along(step.path, sent="1"))


def refusal(verdict: proofs.Verdict) -> str:
    """Why a code did nothing, for the person."""
    if verdict.refusal == "spent":
        return _("This code does not work any more. Ask for a new one.")
    if verdict.refusal == "locked":
        return _("Too many wrong codes or passwords. Try again in %(wait)s.") % {"wait": wait_words(verdict.retry_after)}
    text = ngettext(
        "This code is not right. %(count)d try is left.", "This code is not right. %(count)d tries are left.", verdict.tries_left
    )
    return text % {"count": verdict.tries_left}


def digits(text: str) -> str:
    """A code from an address, or an empty text."""
    return text if len(text) == 6 and text.isascii() and text.isdigit() else ""
