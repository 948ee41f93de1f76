"""The apps that know a person: by consent, or by tokens that still live (apps of the operator need no consent)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Max, Min, Q

from idp.consent import agreement, wording
from idp.interactions.paused import ClientCard
from idp.kernel.clock import now
from idp.oidc.authorization.dispatch import card
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.models import Client, TokenFamily
from idp.oidc.revocation.consent import take_back

if TYPE_CHECKING:
    from datetime import datetime

    from idp.accounts.models import User
    from idp.consent.models import Consent


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """One line of the page "Apps with access". `receipt` is what the person agreed to, None where nobody was asked."""

    client_id: str
    client: ClientCard
    since: datetime
    last_used: datetime | None
    items: list[wording.Item]
    receipt: Consent | None


def apps(user: User) -> list[ConnectedApp]:
    """Apps that hold this person's consent or a refresh family of theirs, newest first. Three queries, however many there are."""
    consents = {row.client_id: row for row in agreement.granted(user)}
    living = {row["client__client_id"]: row for row in _living(user)}
    cards = _cards({*consents, *living})
    found = []
    for client_id in {*consents, *living}:
        consent, tokens = consents.get(client_id), living.get(client_id)
        scopes = consent.scopes if consent else sorted(set(" ".join(tokens["scopes"]).split()) if tokens else ())
        found.append(
            ConnectedApp(
                client_id=client_id,
                client=cards.get(client_id) or ClientCard(name=consent.client_name if consent else client_id),
                since=consent.given_at if consent else tokens["since"] if tokens else now(),
                last_used=tokens["used"] if tokens else None,
                items=wording.items(
                    scopes=scopes, claims=consent.claims if consent else (), resources=consent.resources if consent else ()
                ),
                receipt=consent,
            )
        )
    return sorted(found, key=lambda app: app.since, reverse=True)


def _living(user: User) -> list[dict[str, Any]]:
    """Per client: since when, when last, and with which scopes there are tokens that could be used or renewed now."""
    alive = TokenFamily.objects.filter(user=user, revoked_at=None, expires_at__gt=now(), epoch=user.credential_epoch)
    alive = alive.filter(current_digest__isnull=False)
    by_client: dict[str, dict[str, Any]] = {}
    for row in alive.values("client__client_id", "scope").annotate(since=Min("created_at"), used=Max("last_used_at")):
        entry = by_client.setdefault(row["client__client_id"], {**row, "scopes": []})
        entry["scopes"].append(row["scope"])
        entry["since"], entry["used"] = min(entry["since"], row["since"]), max(entry["used"], row["used"])
    return list(by_client.values())


def disconnect(*, user: User, client_id: str) -> str | None:
    """Take consent back and end the app's tokens at once. The app's name, or None when it had no access."""
    names = {app.client_id: app.client.name for app in apps(user)}
    return names.get(client_id) if take_back(user=user, client_id=client_id) else None


def receipt(app: ConnectedApp, *, user: User) -> dict[str, Any]:
    """What was agreed, as a document that a person can keep: who, to whom, what, since when."""
    consent = app.receipt
    assert consent is not None
    return {
        "issuer": settings.IDP.issuer,
        "privacy_notice": settings.IDP.privacy_url,
        "sub": str(user.pk),
        "client_id": app.client_id,
        "client_name": app.client.name,
        "client_domain": app.client.domain,
        "client_policy_uri": app.client.policy_uri,
        "client_tos_uri": app.client.tos_uri,
        "given_at": consent.given_at.isoformat(),
        "changed_at": consent.changed_at.isoformat(),
        "scopes": consent.scopes,
        "claims": consent.claims,
        "resources": consent.resources,
        "in_words": [item.title for item in app.items],
    }


def _cards(client_ids: set[str]) -> dict[str, ClientCard]:
    rows = Client.objects.filter(Q(client_id__in=client_ids), enabled=True).select_related("logo")
    return {row.client_id: card(ClientPolicy.of(row, (), logo=row.logo.digest if hasattr(row, "logo") else "")) for row in rows}
