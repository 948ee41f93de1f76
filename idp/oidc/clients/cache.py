"""Client policies in this process: no SQL in the steady state, changes of other processes seen within a second."""

from __future__ import annotations

import threading

from django.db.models import Prefetch

from idp.kernel import generations
from idp.oidc.models import Client, ClientLogo, ClientSecret

from .policy import ClientPolicy, SecretHash

GENERATION = "clients"
MOST = 10_000

_lock = threading.Lock()
_generation = -1
_policies: dict[str, ClientPolicy] = {}
_origins: frozenset[str] | None = None


def get(client_id: str) -> ClientPolicy | None:
    """The policy of an enabled client, or None. At most one SQL per half second while nothing changes."""
    if not client_id or len(client_id) > 255 or "\x00" in client_id:
        return None
    _refresh()
    policy = _policies.get(client_id)
    if policy is None:
        generation = _generation
        policy = _load(client_id)
        if policy is not None:
            with _lock:
                # A change between the read and here must not be covered by the older row.
                if generation == _generation and len(_policies) < MOST:
                    _policies[client_id] = policy
    return policy


def by_pk(pk: int) -> ClientPolicy | None:
    """Like `get`, by primary key; one SQL more."""
    client_id = Client.objects.filter(pk=pk).values_list("client_id", flat=True).first()
    return None if client_id is None else get(client_id)


def all_origins() -> frozenset[str]:
    """Every browser origin that any enabled client registered, for CORS preflight (which names no client)."""
    global _origins
    _refresh()
    known = _origins
    if known is None:
        rows = Client.objects.filter(enabled=True).exclude(allowed_origins="").values_list("allowed_origins", flat=True)
        known = _origins = frozenset(origin for row in rows for origin in row.split())
    return known


def _refresh() -> None:
    global _generation, _origins
    current = generations.current(GENERATION)
    if current != _generation:
        with _lock:
            _policies.clear()
            _origins = None
            _generation = current


def _load(client_id: str) -> ClientPolicy | None:
    secrets = Prefetch("secrets", queryset=ClientSecret.objects.order_by("-created_at"))
    client = Client.objects.filter(client_id=client_id, enabled=True).prefetch_related(secrets).first()
    if client is None:
        return None
    hashes = [SecretHash(bytes(row.salt), bytes(row.digest), row.expires_at, row.sealed) for row in client.secrets.all()]
    logo = ClientLogo.objects.filter(client=client).values_list("digest", flat=True).first()
    return ClientPolicy.of(client, hashes, logo=logo or "")
