"""What stands about a person outside of their account's own tables, forgotten when they are erased (`settings.ERASERS`).

Each takes the `sub` and every address of the person and answers how many rows it changed. All run in one transaction.
"""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db.models import Q

from idp.audit import erasure as audit_erasure
from idp.events.models import Delivery
from idp.events.outbox import purpose
from idp.interactions.models import InteractionRow
from idp.kernel import sealing
from idp.oidc.logout import ended_elsewhere
from idp.ssf.models import RemovedSubject

BATCH = 500


def sessions(person: UUID, _addresses: frozenset[str]) -> int:
    """End what is still open, so that apps are told by their back channel."""
    return ended_elsewhere.end_all(person)


def log(person: UUID, _addresses: frozenset[str]) -> int:
    """Rows of the log stay for their time, without person, address, device and what is marked as personal; the chains stay whole."""
    return audit_erasure.forget(person)


def messages(person: UUID, addresses: frozenset[str]) -> int:
    """Mails and text messages to the person that have not left, or could not (hostile case EV-10): they say what the person did.

    Payloads are sealed, so those that still have one are opened. Logout tokens, which hold nothing but identifiers, still leave.
    """
    gone = 0
    rows = Delivery.objects.filter(event=None).exclude(payload="").exclude(receiver="backchannel_logout")
    for row in rows.only("pk", "payload").iterator(chunk_size=BATCH):
        try:
            payload = json.loads(sealing.unseal(row.payload, purpose=purpose(row.pk)))
        except (sealing.SealBroken, ValueError):
            continue
        if isinstance(payload, dict) and (payload.get("to") in addresses or payload.get("person") == str(person)):
            gone += Delivery.objects.filter(pk=row.pk).delete()[0]
    return gone


def paused_requests(person: UUID, addresses: frozenset[str]) -> int:
    """Requests of apps that named the person's address, or that the person has answered."""
    theirs = Q(parameters__login_hint__in=addresses)
    for outcome in ("wish_of", "consented", "denied", "account"):
        theirs |= Q(**{f"outcomes__{outcome}": str(person)})
    return InteractionRow.objects.filter(theirs).delete()[0]


def signals(person: UUID, _addresses: frozenset[str]) -> int:
    """Receivers of shared signals that left the person out: an exception about nobody is none. Waiting tokens leave by their age."""
    return RemovedSubject.objects.filter(person=person).delete()[0]


def staff_log(person: UUID, _addresses: frozenset[str]) -> int:
    """What Django's own admin log says of the person as an object."""
    return LogEntry.objects.filter(object_id=str(person)).delete()[0]
