"""Somebody lost their factors: who may take them away, after which wait, and what ends with them.

Staff and the operator name a reason; where the deployment wants it, another member of staff approves. Where it allows it, the person
may do it alone, with password and mailbox, after a wait in which the mail warns the owner and any factor that is used calls it off.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from idp.accounts import mail, people, sms
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import FactorResetAsked, FactorResetDeclined, FactorsReset
from idp.events.changes import diff
from idp.kernel import clock

from . import factors, notices, policy, trust
from .models import ResetRequest

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_REASON = 500
SALT = "idp.mfa.reset"
State = ResetRequest.State


class NotPossible(ValueError):
    """The reset cannot be; the text says why, in one sentence for whoever asked."""


def ask(user: User, *, reason: str, source: str, by: User | None = None) -> ResetRequest:
    """Reset somebody's factors at once, or, where a second member of staff must approve, ask for it. Raises NotPossible.

    `source` is "staff" (with `by`) or "command"; nobody resets their own.
    """
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise NotPossible("A reset needs a reason.")
    if by is not None and by.pk == user.pk:
        raise NotPossible("Nobody resets their own second step here.")
    if not factors.references(user):
        raise NotPossible("There is no second step to reset.")
    with transaction.atomic():
        waiting = _begin(user, reason=reason, source=source, by=by)
        if not settings.IDP.reset_needs_approval:
            _perform(waiting, by=by)
        else:
            emit(FactorResetAsked(request=waiting.pk, source=source), person=user.pk, by=by.pk if by is not None else None)
    return waiting


def approve(number: int, *, by: User) -> None:
    """A second member of staff lets a reset happen. Raises NotPossible."""
    waiting = _waiting(number)
    if by.pk in (waiting.asked_by_id, waiting.user_id):
        raise NotPossible("Another member of staff must approve it.")
    with transaction.atomic():
        _perform(waiting, by=by)


def decline(number: int, *, by: User) -> None:
    """Call a waiting reset off, also one that the person asked for. Raises NotPossible."""
    waiting = _waiting(number)
    with transaction.atomic():
        _decide(waiting, State.DECLINED, by=by)
        emit(FactorResetDeclined(request=waiting.pk), person=waiting.user_id, by=by.pk)


def offered(user: User) -> bool:
    """Whether people may help themselves here, and this one could: they have a mailbox."""
    return bool(settings.IDP.lost_factor_hours) and bool(user.email) and user.email_verified


def of_person(user: User) -> ResetRequest | None:
    """The reset that this person asked for themselves and that waits."""
    return ResetRequest.objects.filter(user=user, source="person", state=State.WAITING).first()


def begin_alone(user: User) -> datetime:
    """The person has proved password and mailbox: when the reset is due. A second request changes nothing. Raises NotPossible."""
    if not offered(user):
        raise NotPossible("Ask whoever runs this service.")
    due = clock.now() + timedelta(hours=settings.IDP.lost_factor_hours)
    with transaction.atomic():
        known = of_person(user)
        if known is not None and known.due_at is not None:
            return known.due_at
        waiting = _begin(user, reason="", source="person", by=user, due=due)
        emit(FactorResetAsked(request=waiting.pk, source="person"), person=user.pk)
        _warn(user, waiting, due)
    return due


def with_token(token: str) -> ResetRequest | None:
    """The waiting reset that the link in the warning belongs to. Changes nothing (hostile case EM-01)."""
    try:
        number = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    return ResetRequest.objects.select_related("user").filter(pk=number, source="person", state=State.WAITING).first()


def _warn(user: User, waiting: ResetRequest, due: datetime) -> None:
    """Every verified address hears of it, with a link that calls it off without any factor (NIST SP 800-63B-4 4.2.2, hostile case EM-18)."""
    link = f"{settings.IDP.issuer}/account/security/keep?token={signing.dumps(waiting.pk, salt=SALT)}"
    mail.send(to=user.email or "", template="second_step_lost", expires_at=due, due=due, link=link)
    if user.phone and user.phone_verified:
        text = _("Somebody asked to remove your second step at %(brand)s. If it was not you, stop it here: %(link)s")
        sms.tell(to=user.phone, text=text % {"brand": settings.IDP.brand_name, "link": link}, person=user.pk)


def finish_alone(user: User) -> None:
    """The wait is over, and the person has proved password and mailbox once more. Raises NotPossible."""
    waiting = of_person(user)
    if waiting is None or waiting.due_at is None or waiting.due_at > clock.now() or not offered(user):
        raise NotPossible("It is not due yet.")
    with transaction.atomic():
        _perform(waiting, by=None)


def call_off(user: User) -> None:
    """The person proved a factor, or followed the link in the warning: what somebody asked for in their name does not happen."""
    waiting = of_person(user)
    if waiting is None:
        return
    with transaction.atomic():
        _decide(waiting, State.DECLINED, by=None)
        emit(FactorResetDeclined(request=waiting.pk), person=user.pk)


def _begin(user: User, *, reason: str, source: str, by: User | None, due: datetime | None = None) -> ResetRequest:
    waiting = ResetRequest(user=user, reason=reason, source=source, asked_by=by, asked_at=clock.now(), due_at=due)
    try:
        with transaction.atomic():
            if source != "person":  # staff goes first
                ResetRequest.objects.filter(user=user, source="person", state=State.WAITING).update(
                    state=State.DECLINED, decided_at=clock.now(), decided_by=by
                )
            waiting.save(force_insert=True)
    except IntegrityError:
        raise NotPossible("A reset for this person waits already.") from None
    return waiting


def _waiting(number: int) -> ResetRequest:
    waiting = ResetRequest.objects.select_related("user").filter(pk=number, state=State.WAITING).first()
    if waiting is None:
        raise NotPossible("It was decided already.")
    return waiting


def _decide(waiting: ResetRequest, state: ResetRequest.State, *, by: User | None) -> None:
    decided = ResetRequest.objects.filter(pk=waiting.pk, state=State.WAITING)
    if not decided.update(state=state, decided_by=by, decided_at=clock.now()):
        raise NotPossible("It was decided already.")


def _perform(waiting: ResetRequest, *, by: User | None) -> None:
    """Every factor and trusted browser goes, every session and refresh token ends, and the person is told."""
    user = User.objects.select_for_update().get(pk=waiting.user_id)
    _decide(waiting, State.DONE, by=by)
    count = len(factors.references(user))
    trust.end(user, by=by)
    for model in factors.HELD:
        model.objects.filter(user=user).delete()
    policy.done(user)
    people.sign_out_everywhere(user, by=by.pk if by is not None else None)
    by_whom = by.pk if by is not None else None
    emit(FactorsReset(count=count, request=waiting.pk), person=user.pk, by=by_whom, changes=diff({"factors": count}, {"factors": 0}))
    notices.tell(user, "reset")
