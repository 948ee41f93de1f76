"""Browsers in which a person has signed in before, so that guessing elsewhere cannot lock them out here.

A signed cookie holds at most five entries: a tag of the person (not their id), their credential epoch and a random name of the browser.
It opens nothing; it only chooses which counter of `lockout` an attempt is counted on. A changed password makes its entries worthless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from idp.kernel.ids import secret_token

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

    from .models import User

SALT = "idp.accounts.browsers"
MAX_AGE = 400 * 86400  # what browsers keep at most (RFC 6265bis)
MOST = 5
LONGEST = 2048


def cookie_name() -> str:
    """`__Host-` prefixed when served over https."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}kairos_known"


def known_as(request: HttpRequest | None, user: User) -> str | None:
    """The name of this browser if `user` has signed in here before, under the present credentials."""
    for tag, epoch, name in _entries(request):
        if tag == _tag(user) and epoch == user.credential_epoch:
            return name
    return None


def has_been_here(request: HttpRequest | None, user: User) -> bool:
    """Whether `user` has ever signed in here, under whatever credentials: then a sign-in is no news."""
    return any(tag == _tag(user) for tag, _epoch, _name in _entries(request))


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """After a sign-in: this browser is known from now on. Other people's entries stay, the oldest leaves first."""
    if known_as(request, user) is not None:
        return
    others = [entry for entry in _entries(request) if entry[0] != _tag(user)]
    entries = [*others, (_tag(user), user.credential_epoch, secret_token(12))][-MOST:]
    response.set_cookie(
        cookie_name(),
        signing.dumps(entries, salt=SALT),
        max_age=MAX_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _entries(request: HttpRequest | None) -> list[tuple[str, int, str]]:
    value = request.COOKIES.get(cookie_name(), "") if request is not None else ""
    if not value or len(value) > LONGEST:
        return []
    try:
        return [(str(tag), int(epoch), str(name)) for tag, epoch, name in signing.loads(value, salt=SALT, max_age=MAX_AGE)]
    except (signing.BadSignature, ValueError, TypeError):
        return []


def _tag(user: User) -> str:
    return salted_hmac(SALT, str(user.pk), algorithm="sha256").hexdigest()[:16]
