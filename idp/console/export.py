"""The file with everything that is known about a person: asked for, prepared by a worker, sealed, kept for a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from idp import sessions
from idp.access import groups
from idp.accounts import address_change, claims, mail
from idp.accounts.attributes import attributes
from idp.accounts.models import User
from idp.consent import agreement
from idp.events import catalogue, emit, outbox
from idp.events.models import EventRecord
from idp.federation.allauth import links_of
from idp.kernel import clock, places, sealing
from idp.mfa import factors, trust
from idp.mfa.models import Phone, ResetRequest
from idp.oidc.models import Client, TokenFamily

from .activity import WORDS
from .models import DataExport

RECEIVER = "data_export"
KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(days=1)  # one that no worker prepared for so long can be asked for again
MOST_EVENTS = 20_000
Part = Callable[[User], tuple[str, Any]]


def ask(user: User) -> DataExport:
    """Have the file prepared; one that is being prepared or ready is kept. One outbox row, so a crash loses nothing."""
    moment = clock.now()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # two windows, one file
        DataExport.objects.filter(user=user, expires_at__lte=moment).delete()
        row, new = DataExport.objects.get_or_create(user=user, defaults={"asked_at": moment, "expires_at": moment + GIVEN_UP})
        if new:
            emit(catalogue.ExportRequested(), person=user.pk)
            outbox.enqueue(receiver=RECEIVER, payload={"export": str(row.pk), "person": str(user.pk)})
    return row


def of_person(user: User) -> DataExport | None:
    """The file, prepared or not, if there is one."""
    return DataExport.objects.filter(user=user, expires_at__gt=clock.now()).first()


def deliver(_delivery_id: UUID, payload: dict[str, Any]) -> None:
    """The receiver of the outbox: gather, seal, tell the person. Doing it twice gives the same file."""
    row = DataExport.objects.select_related("user").filter(pk=payload["export"], ready_at=None).first()
    if row is None:
        return
    document = json.dumps(gathered(row.user), ensure_ascii=False, default=_plain).encode()
    moment = clock.now()
    with transaction.atomic():
        ready = DataExport.objects.filter(pk=row.pk, ready_at=None).update(
            content=sealing.seal(document, purpose=_purpose(row.pk)), ready_at=moment, expires_at=moment + KEPT
        )
        if ready and row.user.email and row.user.email_verified:
            mail.send(to=row.user.email, template="export_ready", expires_at=moment + KEPT, hours=int(KEPT.total_seconds()) // 3600)


def opened(row: DataExport) -> dict[str, Any]:
    """What the file says."""
    found: dict[str, Any] = json.loads(sealing.unseal(row.content, purpose=_purpose(row.pk)))
    return found


def as_html(document: dict[str, Any]) -> str:
    """The same for people: one page that needs nothing else."""
    sections = [(title, _value(part)) for title, part in document["parts"].items()]
    return render_to_string("console/export.html", {"document": document, "sections": sections, "brand": settings.IDP.brand_name})


def _value(value: Any) -> SafeString:
    if isinstance(value, dict) and value:
        return format_html(
            "<dl>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", ((name, _value(part)) for name, part in value.items()))
        )
    if isinstance(value, list) and value:
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{}</li>", ((_value(part),) for part in value)))
    if isinstance(value, bool):
        return format_html("{}", _("yes") if value else _("no"))
    return format_html("<bdi>{}</bdi>", "–" if value in (None, "", [], {}) else value)


def delete_expired(limit: int = 200) -> int:
    """Remove one bounded batch of files whose day is over; returns how many."""
    old = list(DataExport.objects.filter(expires_at__lte=clock.now()).values_list("pk", flat=True)[:limit])
    return DataExport.objects.filter(pk__in=old).delete()[0] if old else 0


def gathered(user: User) -> dict[str, Any]:
    """Everything, part by part (`settings.EXPORTERS`): a title in the person's language, and data as JSON has it."""
    parts: dict[str, Any] = {}
    for path in settings.EXPORTERS:
        part: Part = import_string(path)
        title, data = part(user)
        parts[title] = data
    return {"made_at": clock.now().isoformat(), "issuer": settings.IDP.issuer, "sub": str(user.pk), "parts": parts}


def account(user: User) -> tuple[str, Any]:
    """Who they are."""
    return _("Account"), {
        "sub": user.pk,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "phone": user.phone,
        "phone_verified_at": user.phone_verified_at,
        "created_at": user.date_joined,
        "changed_at": user.updated_at,
        "has_password": user.has_usable_password(),
        "staff": user.is_staff,
        "groups": groups.names_of(user.pk),
    }


def profile(user: User) -> tuple[str, Any]:
    """What is known about them."""
    readable = {name for name, each in attributes().items() if "person" in each.read}
    return _("Profile"), {name: value for name, value in claims.stored(user).items() if name in readable}


def addresses(user: User) -> tuple[str, Any]:
    """Changes of address that are still kept."""
    rows = address_change.of_person(user.pk)
    return _("Changes of address"), [
        {"kind": row.kind, "address": row.address, "former": row.former, "asked_at": row.created_at, "done_at": row.done_at} for row in rows
    ]


def ways_to_sign_in(user: User) -> tuple[str, Any]:
    """What they hold, without its secrets."""
    held = [*factors.of_person(user), *factors.keys_of(user)]
    phones, resets = Phone.objects.filter(user=user).order_by("pk"), ResetRequest.objects.filter(user=user).order_by("pk")
    return _("Ways to sign in"), {
        "factors": [
            {"kind": each.kind, "name": each.name, "added_at": each.created_at, "last_used_at": each.last_used_at} for each in held
        ],
        "phones": [{"number": each.number, "added_at": each.created_at, "confirmed": each.confirmed} for each in phones],
        "recovery_codes_left": factors.codes_left(user),
        "linked_accounts": [
            {
                "provider": each.issuer,
                "identifier": each.subject,
                "known_as": each.shown,
                "linked_at": each.since,
                "last_used_at": each.last_used,
            }
            for each in links_of(user)
        ],
        "trusted_browsers": [
            {"device": mail.device(each.user_agent), "address": each.ip, "since": each.created_at, "until": each.expires_at}
            for each in trust.of_person(user)
        ],
        "resets": [{"asked_at": each.asked_at, "by": each.source, "reason": each.reason, "state": each.state} for each in resets],
    }


def devices(user: User) -> tuple[str, Any]:
    """Where they are signed in."""
    return _("Sessions"), [
        {
            "device": mail.device(row.user_agent),
            "user_agent": row.user_agent,
            "address": row.ip,
            "place": places.of(row.ip),
            "signed_in_at": row.auth_time,
            "last_seen_at": row.last_seen_at,
        }
        for row in sessions.of_person(user.pk)
    ]


def apps(user: User) -> tuple[str, Any]:
    """What they agreed to, and which apps hold tokens."""
    consents = [
        {
            "client_id": row.client_id,
            "name": row.client_name,
            "scopes": row.scopes,
            "claims": row.claims,
            "resources": row.resources,
            "given_at": row.given_at,
            "changed_at": row.changed_at,
        }
        for row in agreement.granted(user)
    ]
    rows = TokenFamily.objects.filter(user=user).select_related("client").order_by("created_at")
    tokens = [
        {
            "name": row.client.name,
            "client_id": row.client.client_id,
            "scope": row.scope,
            "since": row.created_at,
            "last_used_at": row.last_used_at,
            "ended_at": row.revoked_at,
            "expires_at": row.expires_at,
        }
        for row in rows
    ]
    return _("Apps"), {"consents": consents, "tokens": tokens}


def activity(user: User) -> tuple[str, Any]:
    """What the log says about them, newest first."""
    rows = list(EventRecord.objects.filter(person=user.pk).order_by("-id")[:MOST_EVENTS])
    names = dict(Client.objects.filter(client_id__in={row.client_id for row in rows}).values_list("client_id", "name"))
    return _("Activity"), [
        {
            "at": row.at,
            "what": _(WORDS[row.name]) if row.name in WORDS else row.name,
            "event": row.name,
            "app": names.get(row.client_id, row.client_id),
            "address": row.ip,
            "place": places.of(row.ip),
            "user_agent": row.user_agent,
            "details": row.data,
        }
        for row in rows
    ]


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _purpose(export: UUID) -> str:
    return f"console.export:{export}"
