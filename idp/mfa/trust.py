"""Browsers of their own in which people spare themselves the second step, for a while: listed, ended one by one, and worth no proof.

A random cookie names the browser, a row says for whom it counts. A new password, a removed factor, a reset and staff end it. What passed
by it is a record in the session that `sessions.assurance` gives nothing for: the level stays that of the password.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from idp import sessions
from idp.accounts import allauth as seam
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import BrowserTrusted, BrowserTrustEnded
from idp.kernel import clock, context
from idp.kernel.ids import digest, secret_token

from .models import TrustedBrowser

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

METHOD = "trusted_browser"
MOST = 10  # per person; the oldest leaves first
_LENGTHS = range(40, 65)


def cookie_name() -> str:
    """`__Host-` prefixed when served over https."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_trusted"


def of_browser(request: HttpRequest, user: User) -> TrustedBrowser | None:
    """The trust of this browser, if it counts for this person now."""
    value = request.COOKIES.get(cookie_name(), "")
    if not settings.IDP.trusted_browser_days or len(value) not in _LENGTHS:
        return None
    now = clock.now()
    longest = now - timedelta(days=settings.IDP.trusted_browser_days)  # a policy that became stricter counts at once
    return TrustedBrowser.objects.filter(
        user=user, digest=digest(value), epoch=user.credential_epoch, expires_at__gt=now, created_at__gt=longest
    ).first()


def used(request: HttpRequest, user: User, browser: TrustedBrowser) -> None:
    """The second step was spared; the session says by what, and loses it together with the trust."""
    TrustedBrowser.objects.filter(pk=browser.pk).update(last_used_at=clock.now())
    seam.record(request, user, METHOD, device=browser.reference)


def stands_on(request: HttpRequest, user: User) -> bool:
    """Whether the session of this browser passed the second step by trust."""
    if not settings.IDP.trusted_browser_days:
        return False
    return any(entry.get("method") == METHOD for entry in seam.recorded(request, user))


def begin(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """The person, who has just proved a factor here, wants not to be asked again in this browser."""
    days = settings.IDP.trusted_browser_days
    if not days:
        return
    # Never a value that was there before: whoever used this browser earlier, or planted it, would know it and could pass elsewhere.
    former, value = request.COOKIES.get(cookie_name(), ""), secret_token(32)
    now, origin = clock.now(), context.current()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # of parallel ones none counts past the others
        if len(former) in _LENGTHS:
            TrustedBrowser.objects.filter(user=user, digest=digest(former)).delete()
        browser = TrustedBrowser.objects.create(
            user=user,
            digest=digest(value),
            epoch=user.credential_epoch,
            ip=origin.ip[:45],
            user_agent=origin.user_agent[:300],
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(days=days),
        )
        surplus = TrustedBrowser.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)[MOST:]
        TrustedBrowser.objects.filter(pk__in=list(surplus)).delete()
        emit(BrowserTrusted(browser=browser.reference), person=user.pk)
    response.set_cookie(
        cookie_name(), value, max_age=days * 86400, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax", path="/"
    )


def of_person(user: User) -> list[TrustedBrowser]:
    """What is trusted now, newest first."""
    return list(TrustedBrowser.objects.filter(user=user, epoch=user.credential_epoch, expires_at__gt=clock.now()).order_by("-pk"))


def end(user: User, *, number: int | None = None, request: HttpRequest | None = None, by: User | None = None) -> int:
    """End the trust of one browser, or of all; sessions that passed by it lose that. Returns how many."""
    rows = TrustedBrowser.objects.filter(user=user)
    with transaction.atomic():
        ended = [row for row in rows if number is None or row.pk == number]
        if not ended:
            return 0
        rows.filter(pk__in=[row.pk for row in ended]).delete()
        sessions.forget_factors(user.pk, [row.reference for row in ended], request=request)
        emit(BrowserTrustEnded(count=len(ended)), person=user.pk, by=by.pk if by is not None else None)
    return len(ended)


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of rows that count for nobody any more; returns how many."""
    over = TrustedBrowser.objects.filter(Q(expires_at__lt=clock.now()) | ~Q(epoch=F("user__credential_epoch")))
    keys = list(over.values_list("pk", flat=True)[:limit])
    return TrustedBrowser.objects.filter(pk__in=keys).delete()[0] if keys else 0
