"""Is this code right? One door for every page that asks for one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import django_otp

from idp.events import emit
from idp.events.catalogue import RecoveryCodeUsed, SignInFailed
from idp.kernel.ids import REFERENCE_ALPHABET

from . import notices, sending
from .models import Factor, Phone, RecoveryCodes, TotpDevice

if TYPE_CHECKING:
    from idp.accounts.models import User

RECOVERY_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a code: the factor that it proves, or a reason. `retry_after` in seconds where waiting helps."""

    factor: Factor | None = None
    refusal: Literal["", "malformed", "wrong", "wait", "disabled"] = ""
    retry_after: int = 0


def normalise(typed: str) -> str:
    """One spelling for each code: full-width digits, spaces and hyphens make no second code of it (hostile case MF-01)."""
    text = unicodedata.normalize("NFKC", typed).upper()
    return "".join(character for character in text if not character.isspace() and character not in "-\u2010\u2011\u2013")


def check(user: User, typed: str, *, client_id: str | None = None) -> Verdict:
    """Look at what was typed: six digits are of an app or a text message, ten letters and digits a recovery code.

    A wrong number counts for every app of the person, and for every phone to which a code is on its way: each could have been meant. A
    right one counts for nothing else. Recovery codes are not touched by a number. Records every failure. Call it outside of a transaction.
    """
    code = normalise(typed)
    factors: list[Factor]
    if _is_number(code):
        factors = list(TotpDevice.objects.filter(user=user, confirmed=True).order_by("pk"))
        if sending.by_sms():
            factors += Phone.objects.filter(user=user, confirmed=True).exclude(digest=None).order_by("pk")
    elif len(code) == RECOVERY_LENGTH and all(character in REFERENCE_ALPHABET for character in code):
        factors = list(RecoveryCodes.objects.filter(user=user))
    else:
        return Verdict(refusal="malformed")
    return _look(user, factors, code, client_id=client_id)


def check_mail(user: User, typed: str, *, client_id: str | None = None) -> Verdict:
    """The same for a code that was mailed: "confirm it's you", which raises no level. Call it outside of a transaction."""
    code = normalise(typed)
    return _look(user, [sending.mailbox_of(user)], code, client_id=client_id) if _is_number(code) else Verdict(refusal="malformed")


def _is_number(code: str) -> bool:
    return len(code) == 6 and code.isascii() and code.isdigit()


def _look(user: User, factors: list[Factor], code: str, *, client_id: str | None) -> Verdict:
    open_now = [factor for factor in factors if factor.verify_is_allowed()[0]]
    # Whoever always uses the second of two apps must not look like somebody who guesses at the first.
    meant = [factor for factor in open_now if len(open_now) > 1 and factor.fits(code)]
    for factor in meant or open_now:
        if django_otp.verify_token(user, factor.persistent_id, code) is not None:
            _succeeded(user, factor)
            return Verdict(factor=factor)
    kind = factors[0].kind if factors else "totp"
    if factors and not open_now:
        open_ones = [factor for factor in factors if factor.disabled_at is None]
        if not open_ones:
            return _refused(user, "disabled", kind=kind, client_id=client_id)
        wait = min(factor.wait() for factor in open_ones)
        return _refused(user, "wait", kind=kind, client_id=client_id, retry_after=max(1, wait))
    return _refused(user, "wrong", kind=kind, client_id=client_id)


def _succeeded(user: User, factor: Factor) -> None:
    # A factor that guesses had switched off works again when its owner came in another way (NIST SP 800-63B-4 3.2.2).
    if factor.kind == "email":
        return
    for model in (TotpDevice, Phone, RecoveryCodes):
        model.objects.filter(user=user).exclude(disabled_at=None).update(
            disabled_at=None, throttling_failure_count=0, throttling_failure_timestamp=None
        )
    if isinstance(factor, RecoveryCodes):
        left = factor.left()
        emit(RecoveryCodeUsed(left=left), person=user.pk)
        notices.tell(user, "code_used", left=left)


def _refused(
    user: User, refusal: Literal["wrong", "wait", "disabled"], *, kind: str, client_id: str | None, retry_after: int = 0
) -> Verdict:
    reason = {"wrong": "wrong_code", "wait": "locked", "disabled": "factor_disabled"}[refusal]
    emit(SignInFailed(reason=reason, method=kind, client_id=client_id), person=user.pk)
    return Verdict(refusal=refusal, retry_after=retry_after)
