"""The code after the password, and the code that an app asks for later: one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from idp.accounts import allauth as seam
from idp.accounts.models import User
from idp.mfa import factors, policy, reset, sending, stage, step_up, trust, verification

from .continuation import Continuation, fields_of
from .forms import SecondFactorForm
from .pages import page, passkey_refusal, sent_notice, wait_words

if TYPE_CHECKING:
    from idp.mfa.models import Factor, SentCode
    from idp.mfa.stage import SecondFactorStage


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked; `stage` is empty for somebody who is signed in."""

    person: User
    stage: SecondFactorStage | None

    @property
    def by_mail(self) -> bool:
        """Whether the code comes by mail: the person has no factor."""
        return self.stage is not None and self.stage.by_mail

    @property
    def may_trust(self) -> bool:
        """Whether this browser may be trusted afterwards."""
        if self.stage is None or self.by_mail or not settings.IDP.trusted_browser_days:
            return False
        return policy.of_person(self.person.pk).trusted_browsers


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponseBase:
    """`/login/second-factor`: only where a sign-in waits for it, or an app's request (hostile case MF-05)."""
    continuation = Continuation(request)
    found = asked(request, continuation)
    if found is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    if request.method != "POST":
        carried = fields_of(found.stage.login.redirect_url or "") if found.stage is not None else []
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")  # from here on the page itself says where it leads
        return show(request, continuation, found, SecondFactorForm(), notice=_notice(request.GET.get("done", "")))
    if "send" in request.POST:
        return _send(request, continuation, found)
    form = SecondFactorForm(request.POST)
    if not form.is_valid():
        return show(request, continuation, found, form)
    check = verification.check_mail if found.by_mail else verification.check
    verdict = check(found.person, form.cleaned_data["code"], client_id=continuation.client_id)
    if verdict.factor is None:
        form.add_error("code", _refusal(verdict, by_mail=found.by_mail))
        response = show(request, continuation, found, form, status=429 if verdict.refusal == "wait" else 400)
        if verdict.refusal == "wait":
            response["Retry-After"] = str(verdict.retry_after)
        return response
    with transaction.atomic():
        return proved(request, continuation, found, verdict.factor)


def proved(request: HttpRequest, continuation: Continuation, asked: Asked, factor: Factor, **facts: bool) -> HttpResponseBase:
    """The factor was right (`facts` of its record): where the browser goes now. Call it in a transaction."""
    if asked.stage is None:
        step_up.prove(request, asked.person, factor, client_id=continuation.client_id, **facts)
        return HttpResponseRedirect(continuation.url)
    target = continuation.url if continuation.fields else None
    response = stage.complete(request, asked.stage, factor, continue_to=target, client_id=continuation.client_id, **facts)
    if response is None:
        return HttpResponseRedirect(continuation.along("/login/second-factor", done="more"))
    # A recovery code says that something was lost: no moment to trust a browser.
    if asked.may_trust and "trust" in request.POST and factor.kind != "recovery":
        trust.begin(request, response, asked.person)
    return response


def asked(request: HttpRequest, continuation: Continuation) -> Asked | None:
    """Who is asked for a second factor in this browser now, or None: then nobody is."""
    waiting = stage.pending(request)
    if waiting is not None:
        return Asked(waiting.person, waiting)
    interaction, user = continuation.interaction, request.user
    if isinstance(user, User) and interaction is not None and interaction.ask == "second_factor":
        return Asked(User.objects.get(pk=user.pk), None)
    return None


def _send(request: HttpRequest, continuation: Continuation, asked: Asked) -> HttpResponseBase:
    """Send a code to the phone that was chosen, by its number in the list of the person's own, or to their mailbox."""
    chosen: SentCode | None = None
    if asked.by_mail:
        chosen = sending.mailbox_of(asked.person)
    else:
        chosen = next((phone for phone in factors.phones_of(asked.person) if str(phone.pk) == request.POST["send"]), None)
    outcome = "too_many" if chosen is None else sending.send(chosen)
    return HttpResponseRedirect(continuation.along(request.path, done=outcome))


def _notice(word: str) -> tuple[str, str]:
    """The kind and text of what is said after a redirect; unknown words say nothing (never an echo)."""
    if word == "more":
        return "warn", _(
            "This account asks for a stronger second step. Use your passkey or security key, or start again with your password."
        )
    return sent_notice(word)


def _refusal(verdict: verification.Verdict, *, by_mail: bool) -> str:
    if verdict.refusal == "wait":
        return _("Too many wrong codes. Try again in %(wait)s, or use a recovery code.") % {"wait": wait_words(verdict.retry_after)}
    if verdict.refusal == "disabled":
        return _("After too many wrong codes this way is switched off. Use another one.")
    if verdict.refusal == "malformed":
        return (
            _("The code has six digits.") if by_mail else _("A code from your app has six digits, a recovery code ten letters and digits.")
        )
    if by_mail:
        return _("This code is not right, or too old. Ask for a new one.")
    return _("This code is not right, or was used already. Wait for the next one.")


def show(
    request: HttpRequest,
    continuation: Continuation,
    asked: Asked,
    form: SecondFactorForm,
    *,
    passkey: str = "",
    status: int = 200,
    notice: tuple[str, str] = ("", ""),
) -> HttpResponseBase:
    """The page; `passkey` is why one was refused (`idp.mfa.webauthn.refused.Why`), `notice` the kind and text of what just happened."""
    person, stepping_up, by_mail = asked.person, asked.stage is None, asked.by_mail
    keys = [] if by_mail else [key for key in factors.keys_of(person) if key.disabled_at is None]
    phones = [] if by_mail else [(phone.pk, sending.hint(phone)) for phone in factors.phones_of(person)]
    has_apps, has_codes = bool(factors.of_person(person)), bool(factors.codes_left(person))
    # Where a code was entered already, another one adds nothing: what the app wants is a passkey.
    takes_codes = (by_mail or has_apps or has_codes or bool(phones)) and not (stepping_up and keys and step_up.has_two_factors(request))
    return page(
        request,
        "second_factor",
        continuation=continuation,
        form=form,
        stepping_up=stepping_up,
        by_mail=by_mail,
        by_password=any(entry.get("method") == "password" for entry in seam.recorded(request, person)),
        mailbox=sending.hint(sending.mailbox_of(person)) if by_mail else "",
        has_keys=bool(keys),
        has_apps=has_apps,
        has_codes=has_codes,
        phones=phones if takes_codes else [],
        takes_codes=takes_codes,
        trust_days=settings.IDP.trusted_browser_days if asked.may_trust else 0,
        lost_url=continuation.along("/login/lost-factor") if asked.stage is not None and not by_mail and reset.offered(person) else "",
        passkey_refusal=passkey_refusal(passkey),
        notice_kind=notice[0],
        notice=notice[1],
        status=status,
    )
