"""Webhooks: added, changed, given a new key, switched off and removed; and which of them want an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from idp.accounts import mail
from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.events.catalogue import CATALOGUE
from idp.events.changes import Changes, diff
from idp.events.models import Delivery, Lane, Outage
from idp.kernel import generations, outbound, sealing
from idp.notifications import signature
from idp.notifications.models import Webhook

GENERATION = "webhooks"
RECEIVER = "webhook"
DISABLED_AFTER = timedelta(days=5)


class WebhookError(ValueError):
    """What was given cannot be a webhook. The text names the part and the rule."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    target: str
    names: frozenset[str]
    subjects: frozenset[str]
    everything: bool

    def wants(self, name: str) -> bool:
        return self.everything or name in self.names or name.partition(".")[0] in self.subjects


_cache: tuple[int, tuple[_Endpoint, ...]] = (-1, ())


def wanting(name: str) -> list[str]:
    """The ids of the enabled webhooks that want events of this name. No SQL while nothing changes."""
    global _cache
    generation = generations.current(GENERATION)
    known, endpoints = _cache
    if known != generation:
        rows = Webhook.objects.filter(enabled=True).values_list("id", "events")
        endpoints = tuple(_endpoint(pk, events) for pk, events in rows)
        _cache = (generation, endpoints)
    return [endpoint.target for endpoint in endpoints if endpoint.wants(name)]


def add(*, name: str, url: str, events: Sequence[str], contact: str = "", by: UUID | None = None) -> tuple[Webhook, str]:
    """Save a webhook; returns it with its signing key, which is never shown again. Raises WebhookError."""
    key = signature.new_key()
    row = Webhook(name=_name(name), url=_url(url), events=_patterns(events), contact=_contact(contact))
    row.keys = _sealed(row.pk, [key])
    with transaction.atomic():
        row.save(force_insert=True)
        generations.bump(GENERATION)
        emit(catalogue.WebhookAdded(webhook=str(row.pk)), by=by, changes=_changes({}, _members(row)))
    return row, key


def update(row: Webhook, changes: Mapping[str, Any], *, by: UUID | None = None) -> tuple[str, ...]:
    """Change `name`, `url`, `events`, `contact` or `enabled`; returns the names of what is different now. Raises WebhookError."""
    checks: dict[str, Callable[[Any], Any]] = {"name": _name, "url": _url, "events": _patterns, "contact": _contact, "enabled": bool}
    wanted = {name: checks[name](value) for name, value in changes.items()}
    with transaction.atomic():
        locked = Webhook.objects.select_for_update().get(pk=row.pk)
        before = _members(locked)
        changed = tuple(name for name, value in wanted.items() if getattr(locked, name) != value)
        if changed:
            for name in changed:
                setattr(locked, name, wanted[name])
            if locked.enabled:
                locked.disabled_because = ""
                Outage.objects.filter(receiver=RECEIVER, target=str(row.pk)).delete()
            locked.save()
            generations.bump(GENERATION)
            emit(catalogue.WebhookUpdated(webhook=str(row.pk), members=changed), by=by, changes=_changes(before, _members(locked)))
    row.refresh_from_db()
    return changed


def rotate_key(row: Webhook, *, drop_former: bool = False, by: UUID | None = None) -> str:
    """A new key, which is never shown again. Messages are signed with the former one too, until the next rotation or `drop_former`."""
    key = signature.new_key()
    with transaction.atomic():
        locked = Webhook.objects.select_for_update().get(pk=row.pk)
        former = [] if drop_former else keys(locked)[:1]
        Webhook.objects.filter(pk=row.pk).update(keys=_sealed(row.pk, [key, *former]))
        emit(catalogue.WebhookKeyRotated(webhook=str(row.pk)), by=by, changes=diff({"signing_secret": 1}, {"signing_secret": 2}))
    return key


def remove(row: Webhook, *, by: UUID | None = None) -> None:
    """Delete a webhook, with everything that waits for it and the log of its deliveries."""
    with transaction.atomic():
        target = str(row.pk)
        for model in (Delivery, Lane, Outage):
            model._default_manager.filter(receiver=RECEIVER, target=target).delete()
        if Webhook.objects.filter(pk=row.pk).delete()[0]:
            generations.bump(GENERATION)
            emit(catalogue.WebhookRemoved(webhook=target), by=by, changes=_changes(_members(row), {}))


def _members(row: Webhook) -> dict[str, Any]:
    return {"name": row.name, "url": row.url, "events": row.events, "contact": row.contact, "enabled": row.enabled}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    # Many services put what authorizes a caller into the address.
    return diff(before, after, personal=("contact",), secret=("url",))


def disable_failing(target: str, *, since: timedelta) -> bool:
    """Switch a webhook off that has failed for days without a success, and tell whom it concerns. False = not (or no longer) the case."""
    if since < DISABLED_AFTER:
        return False
    with transaction.atomic():
        row = Webhook.objects.select_for_update().filter(pk=target, enabled=True).first()
        if row is None:
            return False
        row.enabled = False
        row.disabled_because = _("It failed for %(days)d days in a row.") % {"days": since.days}
        row.save(update_fields=["enabled", "disabled_because"])
        generations.bump(GENERATION)
        emit(catalogue.WebhookDisabled(webhook=target, days=since.days))
        for address in _whom_to_tell(row):
            mail.send(to=address, template="webhook_disabled", webhook=row.name, url=row.url, days=since.days)
    return True


def keys(row: Webhook) -> list[str]:
    """The keys that sign now, the newest first."""
    found: list[str] = json.loads(sealing.unseal(row.keys, purpose=_purpose(row.pk)))
    return found


def described(row: Webhook) -> dict[str, Any]:
    """A webhook without its keys."""
    outage = Outage.objects.filter(receiver=RECEIVER, target=str(row.pk)).first()
    return {
        "id": str(row.pk),
        "name": row.name,
        "url": row.url,
        "events": row.events.split(),
        "contact": row.contact,
        "enabled": row.enabled,
        "disabled_because": row.disabled_because,
        "failing_since": outage.since.isoformat(timespec="seconds") if outage else None,
        "keys": len(keys(row)),
        "created_at": row.created_at.isoformat(timespec="seconds"),
    }


def _endpoint(pk: UUID, events: str) -> _Endpoint:
    patterns = events.split()
    return _Endpoint(
        str(pk),
        frozenset(pattern for pattern in patterns if "*" not in pattern),
        frozenset(pattern.removesuffix(".*") for pattern in patterns if pattern.endswith(".*")),
        "*" in patterns,
    )


def _whom_to_tell(row: Webhook) -> list[str]:
    if row.contact:
        return [row.contact]
    staff = User.objects.filter(is_staff=True, is_active=True, email__isnull=False).exclude(email_verified_at=None)
    return [address for address in staff.values_list("email", flat=True)[:20] if address]


def _name(text: str) -> str:
    clean = " ".join(str(text).split())
    if not clean or len(clean) > 80 or not clean.isprintable():
        raise WebhookError(_("The name has 1 to 80 characters."))
    return clean


def _url(text: str) -> str:
    try:
        outbound.check_syntax(text)
    except outbound.Refused:
        raise WebhookError(_("The address must be a public https address; a private one must be allowed in IDP_OUTBOUND_ALLOW.")) from None
    return text


def _patterns(events: Sequence[str]) -> str:
    subjects = {name.partition(".")[0] for name in CATALOGUE}
    wanted = list(dict.fromkeys(events))
    for pattern in wanted:
        if pattern != "*" and pattern not in CATALOGUE and not (pattern.endswith(".*") and pattern[:-2] in subjects):
            raise WebhookError(_("Events are named as in the list of events, as a whole subject like account.*, or * for all of them."))
    if not wanted:
        raise WebhookError(_("Name at least one event."))
    return " ".join(wanted)


def _contact(address: str) -> str:
    if address:
        try:
            validate_email(address)
        except ValidationError:
            raise WebhookError(_("The contact is not an e-mail address.")) from None
    return address


def _sealed(pk: UUID, found: list[str]) -> str:
    return sealing.seal(json.dumps(found).encode(), purpose=_purpose(pk))


def _purpose(pk: UUID) -> str:
    return f"webhook-keys:{pk}"
