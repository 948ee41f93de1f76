"""Mails about accounts: rendered where the request is, sent later from the outbox (hostile cases PW-03, EM-11, EM-17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language, get_supported_language_variant, override
from django.utils.translation import gettext as _

from idp.events.outbox import enqueue
from idp.kernel import clock, colours, context

from . import addresses, sms

if TYPE_CHECKING:
    from datetime import datetime

    from .models import User


def send(*, to: str, template: str, expires_at: datetime | None = None, **values: Any) -> None:
    """Put `templates/mail/<template>` (subject, text and HTML) for `to` into the outbox, in the caller's transaction.

    After `expires_at` it is not sent any more: the life of the code or link in it. Links start at the configured issuer, never at
    what the request says (EM-11). It is written in the language that the person with this address chose, else in that of the request.
    """
    with override(language_of(to) or get_language() or settings.LANGUAGE_CODE):
        payload = _rendered(to, template, values)
    enqueue(receiver="mail", payload=payload, expires_at=expires_at)


def language_of(address: str) -> str:
    """The language of pages that the person with this address chose in their profile; empty when there is none that we speak.

    One statement, whether or not somebody has the address.
    """
    from .claims import stored
    from .models import User

    user = User.objects.filter(email=address).first()
    chosen = stored(user).get("locale") if user is not None else None
    if not isinstance(chosen, str):
        return ""
    try:
        return get_supported_language_variant(chosen.replace("_", "-").lower())
    except LookupError:
        return ""


def _rendered(to: str, template: str, values: dict[str, Any]) -> dict[str, str]:
    origin = context.current()
    shades = colours.palette(settings.IDP.brand_colour)
    scope = {
        "brand": settings.IDP.brand_name,
        "issuer": settings.IDP.issuer,
        "host": settings.IDP.issuer_host,
        "help_url": settings.IDP.help_url,
        "accent": shades.accent,
        "dark_accent": shades.dark_accent,
        "to": to,
        "at": clock.now(),
        "ip": origin.ip,
        "device": device(origin.user_agent),
        **values,
    }
    subject = " ".join(render_to_string(f"mail/{template}.subject.txt", scope).split())
    return {
        "to": to,
        "subject": subject,
        "text": render_to_string(f"mail/{template}.txt", scope).strip() + "\n",
        "html": render_to_string(f"mail/{template}.html", scope),
    }


def tell(user: User, *, template: str, text: str, **values: Any) -> None:
    """News about the account to every verified address: the mail `template`, or `text` and where to look as a message to a phone."""
    for address in addresses.of(user):
        if not addresses.is_phone(address):
            send(to=address, template=template, **values)
        else:
            sms.tell(to=address, text=f"{text} {settings.IDP.issuer}", person=user.pk)


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """A user agent in words, like "Firefox on Windows"; an empty text when it says nothing that we know.

    Only our own words come out: what a stranger typed into a header must not reach somebody's mailbox.
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system
