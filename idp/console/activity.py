"""What happened with an account, in words for its owner; and what they do when it was not them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_http_methods, require_safe

from idp.accounts import mail, recovery
from idp.events.models import EventRecord
from idp.kernel import places
from idp.oidc.models import Client

from . import devices, profile

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from idp.accounts.models import User

PAGE = 40
# Name of the event -> what it means to the owner. What is not here is of no interest to them, or said by another line.
WORDS: Mapping[str, str] = {
    "account.created": gettext_noop("Your account was created"),
    "account.email_verified": gettext_noop("Your email address was verified"),
    "account.phone_verified": gettext_noop("Your phone number was verified"),
    "account.email_changed": gettext_noop("Your email address was changed"),
    "account.phone_changed": gettext_noop("Your phone number was changed"),
    "account.address_change_requested": gettext_noop("A change of your email address or phone number was asked for"),
    "account.address_change_undone": gettext_noop("A change of your email address or phone number was undone"),
    "account.terms_accepted": gettext_noop("You accepted the terms"),
    "account.password_changed": gettext_noop("Your password was changed"),
    "account.recovery_requested": gettext_noop("A mail to reset your password was asked for"),
    "account.recovered": gettext_noop("Your password was reset"),
    "account.locked": gettext_noop("Sign-in was locked for a while after several wrong passwords"),
    "account.disabled": gettext_noop("Your account was switched off"),
    "account.enabled": gettext_noop("Your account was switched on"),
    "account.signed_out_everywhere": gettext_noop("You were signed out everywhere"),
    "account.export_requested": gettext_noop("A file with your data was asked for"),
    "account.export_downloaded": gettext_noop("A file with your data was downloaded"),
    "account.deletion_requested": gettext_noop("The deletion of your account was asked for"),
    "account.deletion_cancelled": gettext_noop("The deletion of your account was called off"),
    "profile.changed": gettext_noop("Your profile was changed"),
    "sign_in.succeeded": gettext_noop("Sign-in"),
    "sign_in.failed": gettext_noop("A sign-in was refused"),
    "sign_in.alarm": gettext_noop("Something about a sign-in was unusual"),
    "sign_in.stepped_up": gettext_noop("Confirmed with a second step"),
    "session.ended": gettext_noop("Sign-out"),
    "factor.added": gettext_noop("A way to confirm that it is you was added"),
    "factor.renamed": gettext_noop("A way to confirm that it is you got another name"),
    "factor.removed": gettext_noop("A way to confirm that it is you was removed"),
    "factor.locked": gettext_noop("Somebody who knows your password entered several wrong codes"),
    "factor.disabled": gettext_noop("A way to confirm that it is you was switched off after many wrong codes"),
    "factor.all_reset": gettext_noop("Your second step was removed"),
    "factor.enrolment_postponed": gettext_noop("You put off setting up a second step"),
    "link.added": gettext_noop("An account at another provider was linked"),
    "link.removed": gettext_noop("An account at another provider was unlinked"),
    "browser.trusted": gettext_noop("A browser does not ask for your second step for a while"),
    "browser.trust_ended": gettext_noop("Browsers ask for your second step again"),
    "factor.recovery_codes_made": gettext_noop("New recovery codes were made"),
    "factor.recovery_code_used": gettext_noop("A recovery code was used"),
    "factor.reset_asked": gettext_noop("The removal of your second step was asked for"),
    "factor.reset_declined": gettext_noop("The removal of your second step was declined"),
    "factor.suspected": gettext_noop("One of your ways to confirm that it is you looks copied"),
    "refresh_token.replayed": gettext_noop("A copy of an app’s token was used: its access ended"),
    "code.replayed": gettext_noop("A copy of an app’s code was used: its access ended"),
    "group.member_added": gettext_noop("You were put into a group"),
    "group.member_removed": gettext_noop("You were taken out of a group"),
    "consent.granted": gettext_noop("You gave an app access"),
    "consent.denied": gettext_noop("You refused an app access"),
    "consent.revoked": gettext_noop("You took an app’s access back"),
    "tokens.revoked": gettext_noop("An app’s access ended"),
    "staff.granted": gettext_noop("You were let into the staff console"),
    "staff.revoked": gettext_noop("You were shut out of the staff console"),
}
# What somebody else could have done: with "This wasn't me" beside it.
ALARMING = {
    "sign_in.succeeded", "account.password_changed", "account.recovered", "account.email_changed", "account.phone_changed",
    "account.address_change_requested", "account.export_requested", "account.export_downloaded", "account.deletion_requested",
    "factor.added", "factor.removed", "factor.locked", "factor.recovery_codes_made", "factor.recovery_code_used", "factor.reset_asked",
    "browser.trusted", "consent.granted", "link.added", "link.removed", "factor.suspected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    id: UUID
    what: str
    app: str
    at: datetime
    device: str
    place: str
    address: str
    by_staff: bool
    alarming: bool


def of_person(user: User, *, before: UUID | None = None) -> list[Line]:
    """The newest lines, or those before one of them; one more than a page, if there are more."""
    rows = EventRecord.objects.filter(person=user.pk, name__in=WORDS)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: PAGE + 1])
    names = dict(Client.objects.filter(client_id__in={row.client_id for row in found if row.client_id}).values_list("client_id", "name"))
    return [_line(row, names, user) for row in found]


def _line(row: EventRecord, names: Mapping[str, str], user: User) -> Line:
    return Line(
        id=row.pk,
        what=_(WORDS[row.name]),
        app=names.get(row.client_id, ""),
        at=row.at,
        device=mail.device(row.user_agent),
        place=places.of(row.ip),
        address=row.ip,
        by_staff=row.by is not None and row.by != user.pk,
        alarming=row.name in ALARMING,
    )


@require_safe
@login_required
def activity(request: HttpRequest) -> HttpResponse:
    """`/account/activity`: newest first; `before` goes on where a page ended."""
    user = cast("User", request.user)
    lines = of_person(user, before=_identifier(request.GET.get("before", "")))
    more = lines[PAGE - 1].id if len(lines) > PAGE else None
    return _page(request, "activity", user, lines=lines[:PAGE], more=more)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def not_me(request: HttpRequest) -> HttpResponse:
    """`/account/activity/not-me`: end everything now and begin the recovery. Never asks for a proof: it only protects."""
    user = cast("User", request.user)
    if request.method != "POST":
        return _page(request, "not_me", user)
    devices.sign_out_everywhere(user)
    if user.email and user.email_verified:
        recovery.request_link(user.email)
    logout(request)
    return render(request, "console/secured.html", {"has_mail": bool(user.email and user.email_verified)})


def _identifier(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) <= 36 else None
    except ValueError:
        return None


def _page(request: HttpRequest, name: str, user: User, **context: Any) -> HttpResponse:
    scope = {"section": "activity", "person": profile.display_name(user), **context}
    return render(request, f"console/{name}.html", scope)
