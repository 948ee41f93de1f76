"""Give, look up and take back consent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.kernel import db
from idp.kernel.clock import now

from .models import Consent


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks a person to agree to."""

    scopes: frozenset[str]
    claims: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()


def missing(*, user_id: UUID, client_id: str, wish: Wish) -> Wish | None:
    """The part of `wish` that the person has not agreed to yet; None when all of it is remembered. One query."""
    row = db.row("SELECT scopes, claims, resources FROM consent_consent WHERE user_id = %s AND client_id = %s", [user_id, client_id])
    given = Wish(frozenset(), frozenset(), frozenset())
    if row is not None:
        given = Wish(*(frozenset(db.as_json(value)) for value in row))
    open_part = Wish(wish.scopes - given.scopes, wish.claims - given.claims, wish.resources - given.resources)
    if row is not None and not (open_part.scopes or open_part.claims or open_part.resources):
        return None
    return open_part


def give(*, user: User, client_id: str, client_name: str, wish: Wish) -> None:
    """Remember consent; what was agreed to before stays."""
    with transaction.atomic():
        row, created = Consent.objects.select_for_update().get_or_create(
            user=user,
            client_id=client_id,
            defaults={
                "client_name": client_name,
                "scopes": sorted(wish.scopes),
                "claims": sorted(wish.claims),
                "resources": sorted(wish.resources),
            },
        )
        if not created:
            row.client_name = client_name
            row.scopes = sorted(wish.scopes.union(row.scopes))
            row.claims = sorted(wish.claims.union(row.claims))
            row.resources = sorted(wish.resources.union(row.resources))
            row.changed_at = now()
            row.save()
        emit(catalogue.ConsentGranted(client_id=client_id, scope=" ".join(sorted(wish.scopes))), person=user.pk)


def deny(*, user: User, client_id: str, scopes: Iterable[str]) -> None:
    """Record that a person declined; nothing else changes."""
    emit(catalogue.ConsentDenied(client_id=client_id, scope=" ".join(sorted(scopes))), person=user.pk)


def granted(user: User) -> list[Consent]:
    """What a person has agreed to, newest first."""
    return list(Consent.objects.filter(user=user).order_by("-changed_at"))


def forget(*, user: User, client_id: str) -> bool:
    """Take consent back. The caller revokes what it gave (`idp.oidc.revocation`). False = there was none."""
    with transaction.atomic():
        deleted, _ = Consent.objects.filter(user=user, client_id=client_id).delete()
        if deleted:
            emit(catalogue.ConsentRevoked(client_id=client_id), person=user.pk)
    return bool(deleted)
