"""Every change of how somebody signs in is told to them: by mail, or by text message to whoever has no mailbox (ASVS 6.3.7, WK-17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from idp.accounts import mail, sms

if TYPE_CHECKING:
    from idp.accounts.models import User

What = Literal["added", "removed", "disabled", "guessed", "suspected", "codes_made", "code_used", "reset"]


def tell(user: User, what: What, *, kind: str = "recovery", named: str = "", left: int = 0) -> None:
    """Tell the owner, in the caller's transaction."""
    text = sentence(what, kind=kind, named=named, left=left)
    if user.email and (user.email_verified or not user.phone_verified):
        mail.send(to=user.email, template="sign_in_changed", what=text)
    elif user.phone and user.phone_verified:
        sms.tell(to=user.phone, text=f"{settings.IDP.brand_name}: {text} {settings.IDP.issuer}/account/security", person=user.pk)


def sentence(what: What, *, kind: str, named: str, left: int) -> str:
    """What happened, in one sentence. `named` is the name that the person gave the factor."""
    thing = kind_words(kind) + (f" “{named}”" if named else "")
    if what == "code_used":
        text = ngettext(
            "Somebody signed in with a recovery code. %(count)d code is left.",
            "Somebody signed in with a recovery code. %(count)d codes are left.",
            left,
        )
        return text % {"count": left}
    return {
        "added": _("This was added to your account, as a way to confirm that it is you: %(thing)s."),
        "removed": _("This does not work any more to sign in to your account: %(thing)s."),
        "disabled": _("After a hundred wrong codes in a row this was switched off, until you sign in with another way: %(thing)s."),
        "guessed": _("Somebody who knows your password entered five wrong codes in a row. For 15 minutes this is not accepted: %(thing)s."),
        "reset": _("Your second step was removed by whoever runs this service. You were signed out everywhere; set up a new one soon."),
        "suspected": _("This looked like a copy when it was used, and does not work any more. Remove it and add it again: %(thing)s."),
        "codes_made": _("New recovery codes were made for your account. Former ones do not work any more."),
    }[what] % {"thing": thing}


def kind_words(kind: str) -> str:
    """What a kind of factor is called."""
    return {
        "totp": _("authenticator app"),
        "webauthn": _("passkey"),
        "sms": _("phone for text messages"),
        "email": _("codes by mail"),
        "recovery": _("recovery codes"),
    }[kind]
