"""Text messages about accounts: written where the request is, sent later from the outbox, within budgets.

Whoever can make a stranger's server send messages can be paid for it (toll fraud), or torment somebody. So each message counts against
four budgets: of its number, of the person who asked for it, of the numbers that begin alike, and of the whole installation.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from idp.events.outbox import enqueue
from idp.kernel import clock, limits

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

log = logging.getLogger(__name__)

HOUR = 3600
RANGE = 5  # the plus sign and four digits: a country and an operator, or an area


def available() -> bool:
    """Whether this installation can send text messages."""
    return bool(settings.IDP.sms_url.get_secret_value())


def send_code(*, to: str, code: str, minutes: int, expires_at: datetime, person: UUID | None = None, decoy: bool = False) -> bool:
    """Send a one-time code, in the form that phones fill in for the right site only (origin-bound one-time codes)."""
    words = _("%(code)s is your code for %(brand)s. It works for %(minutes)d minutes. Never tell it to anybody.")
    text = words % {"code": code, "brand": settings.IDP.brand_name, "minutes": minutes}
    return send(to=to, text=f"{text}\n\n@{settings.IDP.issuer_host} #{code}", expires_at=expires_at, person=person, decoy=decoy)


def tell(*, to: str, text: str, person: UUID) -> None:
    """News about the account for `to`, when the caller's transaction is done; within budgets of its own, which codes cannot use up."""
    if available():
        transaction.on_commit(partial(_tell, to, text, person), robust=True)


def _tell(to: str, text: str, person: UUID) -> None:
    send(to=to, text=text, person=person, news=True)


def send(
    *, to: str, text: str, expires_at: datetime | None = None, person: UUID | None = None, decoy: bool = False, news: bool = False
) -> bool:
    """Put a message for `to` (E.164) into the outbox; False = there is no gateway, or a budget is spent, and nothing was sent.

    `person` is who asked for it. A `decoy` costs the same statements and is never sent: for a number that nobody has, of which nobody
    must learn that. Nothing that a page answers may differ by the result. `news` does not share the budgets of number and person with
    codes: whoever asks for codes all the time must not keep the owner from hearing of it. Call it outside of a transaction
    (see `kernel.limits`).
    """
    if not available() or not _admitted(to, person, decoy=decoy, news=news):
        return False
    # The outbox drops what has expired before it is sent.
    enqueue(receiver="sms", payload={"to": to, "text": text}, expires_at=clock.now() if decoy else expires_at)
    return True


def _admitted(to: str, person: UUID | None, *, decoy: bool, news: bool) -> bool:
    idp = settings.IDP
    if idp.sms_prefixes and not to.startswith(idp.sms_prefixes):
        return False
    kind = "accounts.sms.decoy" if decoy else "accounts.sms"  # asking for numbers of nobody uses up nobody's budget
    about = "news." if news else ""
    # The narrow ones first: who has spent their own takes nothing from the others.
    budgets = (
        (f"{about}number", to, idp.sms_per_person_per_hour),
        (f"{about}person", str(person or to), idp.sms_per_person_per_hour),
        ("prefix", to[:RANGE], idp.sms_per_prefix_per_hour),
        ("all", "", idp.sms_per_hour),
    )
    for name, key, limit in budgets:
        if not limits.hit(f"{kind}.{name}", key, limit=limit, seconds=HOUR).allowed:
            if name in ("prefix", "all") and not decoy:
                log.warning("sms: the hourly budget of %s is spent", "numbers that begin alike" if name == "prefix" else "the installation")
            return False
    return True
