"""Tell the apps of sessions that ended without a browser at hand: a new password, an account that was disabled, "sign out everywhere".

Spec: OpenID Connect Back-Channel Logout 1.0 2.7 (what the end of a session means is the same, whoever ended it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from idp import sessions
from idp.accounts.models import User
from idp.events import fanout
from idp.events.catalogue import (
    AccountAllSignedOut,
    AccountDisabled,
    AccountPasswordChanged,
    AccountRecovered,
    AccountSignedOutEverywhere,
    Event,
    Priority,
)
from idp.events.models import Delivery, EventRecord
from idp.kernel import clock
from idp.notifications.receivers import Call
from idp.oidc.client_sessions import participants
from idp.oidc.models import ClientSession

from . import back_channel

NAME = "sessions_over"
BATCH = 500


class SessionsOver:
    """A receiver of events that calls nobody itself: it puts a logout token in the outbox for each app of each session that is over."""

    blocks = False
    gives_up_after = timedelta(days=1)

    def targets(self, event: Event) -> Sequence[str]:
        ending = AccountAllSignedOut | AccountDisabled | AccountPasswordChanged | AccountRecovered | AccountSignedOutEverywhere
        return ("",) if isinstance(event, ending) else ()

    def compose(self, record: EventRecord, delivery: Delivery) -> Sequence[Call]:
        if record.name != AccountAllSignedOut.name:
            if record.person is not None:
                end_of(record.person)
        elif delivery.target:
            end_of(UUID(delivery.target))
        else:
            _each_by_themselves(record)
        return ()

    def headers(self, call: Call, delivery: Delivery) -> Mapping[str, str]:
        raise NotImplementedError("this receiver makes no calls")

    def accepts(self, call: Call, status: int) -> bool:
        raise NotImplementedError("this receiver makes no calls")

    def failed_for_long(self, delivery: Delivery, *, since: timedelta) -> None:
        """It has no other side that could fail."""


def _each_by_themselves(record: EventRecord) -> None:
    """Everybody was signed out: a delivery of its own for each person whose apps want to hear of it. Safe to repeat."""
    done = set(Delivery.objects.filter(event=record.pk, receiver=NAME).values_list("target", flat=True))
    people = [str(user) for user in ClientSession.objects.order_by("user").values_list("user", flat=True).distinct()]
    left = [(NAME, person) for person in people if person not in done]
    for start in range(0, len(left), BATCH):
        with transaction.atomic():
            to = left[start : start + BATCH]
            fanout.deliver([(record.pk, record.name, None, None)], to=to, moment=clock.now(), priority=Priority.URGENT)


def end_of(user_id: UUID) -> int:
    """Take the participants of every session of the person that is over and tell each; returns how many messages. Safe to repeat."""
    with transaction.atomic():
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            return 0
        alive = {row.sid for row in sessions.of_person(user_id) if user.is_active and row.epoch == user.credential_epoch}
        told = 0
        for sid in ClientSession.objects.filter(user=user_id).exclude(sid__in=alive).values_list("sid", flat=True).distinct():
            for client in participants.take(sid):
                back_channel.enqueue(client, sid=sid, user_id=user_id)
                told += bool(client.backchannel_logout_uri)
    return told


RECEIVER = SessionsOver()
