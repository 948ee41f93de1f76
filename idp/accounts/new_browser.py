"""A sign-in from a browser that the person has not used before is told to them: place, device, and what to do if it was somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _

from idp.events.catalogue import SignInSucceeded
from idp.events.models import EventRecord
from idp.kernel import context, places

from . import browsers, mail, sms

if TYPE_CHECKING:
    from django.http import HttpRequest

    from .models import User


def is_new(request: HttpRequest, user: User) -> bool:
    """Whether to tell: not at the first sign-in of all, which is that of somebody who has just made the account."""
    if browsers.has_been_here(request, user):
        return False
    return EventRecord.objects.filter(person=user.pk, name=SignInSucceeded.name).exists()


def tell(user: User) -> None:
    """Tell the owner, in the caller's transaction: by mail, or by text message to whoever has no mailbox."""
    if user.email and user.email_verified:
        mail.send(to=user.email, template="new_sign_in", place=places.of(context.current().ip))
    elif user.phone and user.phone_verified:
        text = _("Somebody signed in to your account at %(brand)s in a new browser. If it was not you, sign everybody out: %(link)s")
        link = f"{settings.IDP.issuer}/account/activity/not-me"
        sms.tell(to=user.phone, text=text % {"brand": settings.IDP.brand_name, "link": link}, person=user.pk)
