"""The facts of the start page, in few queries whatever the size of the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from idp.accounts.models import User
from idp.audit import heads
from idp.audit.models import Head
from idp.events.models import Delivery, EventRecord
from idp.kernel.clock import now
from idp.oidc.keys import rotation
from idp.oidc.models import Client, RefusedRequest, SigningKey

LATE = timedelta(minutes=5)  # the sweep comes every five seconds; what waits longer waits for a worker or a receiver
MOST_FAILING = 5
MOST_REFUSALS = 10_000


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that somebody should look at, and where."""

    text: str
    url: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What the start page says."""

    concerns: list[Concern]
    sign_ins: int
    failed_sign_ins: int
    sign_ups: int
    tokens: int
    people: int
    clients: int
    waiting: int
    failing: list[dict[str, Any]]

    @property
    def healthy(self) -> bool:
        """Nothing grave."""
        return not any(concern.grave for concern in self.concerns)


def look() -> State:
    """Look at keys, deliveries, the day's events and refusals, and count people and clients. Seven queries."""
    from .lists import first_identifier

    moment = now()
    day = moment - timedelta(days=1)
    names = ("sign_in.succeeded", "sign_in.failed", "account.created", "tokens.issued", "tokens.refreshed")
    counted = EventRecord.objects.filter(pk__gte=first_identifier(day), name__in=names).order_by().values_list("name").annotate(Count("pk"))
    events: dict[str, int] = dict(counted)
    deliveries = Delivery.objects.aggregate(
        dead=Count("pk", filter=Q(state=Delivery.State.DEAD)),
        waiting=Count("pk", filter=Q(state=Delivery.State.WAITING)),
        oldest=Min("created_at", filter=Q(state=Delivery.State.WAITING)),
    )
    failing = (
        RefusedRequest.objects.filter(at__gte=day)
        .exclude(client_id="")
        .order_by()
        .values("client_id")
        .annotate(count=Count("pk"))
        .order_by("-count", "client_id")[:MOST_FAILING]
    )
    return State(
        concerns=[*_about_keys(moment), *_about_deliveries(deliveries, moment), *_about_audit(moment)],
        sign_ins=events.get("sign_in.succeeded", 0),
        failed_sign_ins=events.get("sign_in.failed", 0),
        sign_ups=events.get("account.created", 0),
        tokens=events.get("tokens.issued", 0) + events.get("tokens.refreshed", 0),
        people=User.objects.count(),
        clients=Client.objects.count(),
        waiting=deliveries["waiting"],
        failing=[dict(row) for row in failing],
    )


def _about_keys(moment: datetime) -> list[Concern]:
    where = reverse("admin:oidc_signingkey_changelist")
    newest: dict[str, datetime] = {}
    signing = set()
    for key in SigningKey.objects.order_by("activates_at").only("algorithm", "activates_at", "retires_at"):
        if key.retires_at is None:
            newest[key.algorithm] = key.activates_at
        if key.activates_at <= moment and (key.retires_at is None or key.retires_at > moment):
            signing.add(key.algorithm)
    found = [
        Concern(_("No key signs %(algorithm)s: no app gets a token with it.") % {"algorithm": algorithm}, where, grave=True)
        for algorithm in rotation.ALWAYS_PRESENT
        if algorithm not in signing
    ]
    # The schedule replaces keys by itself; a week late means that it does not run.
    overdue = moment - timedelta(days=settings.IDP.key_rotation_days + 7)
    found += [
        Concern(
            _("The %(algorithm)s key is %(age)s old and was not replaced: is the scheduler running?")
            % {"algorithm": algorithm, "age": timesince(since, moment, depth=1)},
            where,
        )
        for algorithm, since in newest.items()
        if since < overdue
    ]
    return found


def _about_audit(moment: datetime) -> list[Concern]:
    newest = Head.objects.order_by("-number").values_list("at", flat=True).first()
    if newest is None or newest > moment - heads.AT_LEAST_EVERY - timedelta(hours=1):
        return []
    text = _("The event log was last sealed %(age)s ago: is the scheduler running?") % {"age": timesince(newest, moment, depth=1)}
    return [Concern(text, reverse("admin:events_eventrecord_changelist"))]


def _about_deliveries(counts: dict[str, Any], moment: datetime) -> list[Concern]:
    where = reverse("admin:events_delivery_changelist")
    found = []
    if counts["oldest"] is not None and counts["oldest"] < moment - LATE:
        text = ngettext(
            "%(count)d message waits, the oldest for %(age)s: is a worker running, can the receiver be reached?",
            "%(count)d messages wait, the oldest for %(age)s: is a worker running, can the receiver be reached?",
            counts["waiting"],
        )
        values = {"count": counts["waiting"], "age": timesince(counts["oldest"], moment, depth=1)}
        found.append(Concern(text % values, f"{where}?state=waiting", grave=True))
    if counts["dead"]:
        text = ngettext("%(count)d message could not be delivered.", "%(count)d messages could not be delivered.", counts["dead"])
        found.append(Concern(text % {"count": counts["dead"]}, f"{where}?state=dead"))
    return found
