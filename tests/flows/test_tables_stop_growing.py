"""Every table whose rows expire is emptied while serving, in bounded batches; what still counts stays."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import models
from django.utils.module_loading import import_string

from idp.accounts.models import AddressProof, GuessCounter, User
from idp.events.models import Delivery
from idp.interactions.models import InteractionRow
from idp.kernel import clock
from idp.kernel.models import Limit
from idp.notifications import cleaning
from idp.oidc.clients import registry
from idp.oidc.issuance import families
from idp.oidc.models import AuthorizationCode, Client, RefusedRequest, RevokedToken, TokenFamily
from idp.sessions.models import BrowserSession
from tests.support.factories import make_person

Make = Callable[[timedelta], models.Model]


def makers(user: User, client: Client) -> dict[type[models.Model], Make]:
    """For each table: a row that ends so long from now (in the past, if negative)."""
    now = clock.now()
    tokens: dict[str, Any] = {"client": client, "user": user, "auth_time": now, "acr": "0", "sid": "s", "epoch": 0}

    def words(length: int = 32) -> str:
        return secrets.token_hex(length)[:length]

    return {
        BrowserSession: lambda left: BrowserSession(key_digest=secrets.token_bytes(32), expires_at=now + left),
        InteractionRow: lambda left: InteractionRow(id=words(), browser=b"b", parameters={}, ask="login", expires_at=now + left),
        AuthorizationCode: lambda left: AuthorizationCode(
            digest=secrets.token_bytes(32), redirect_uri="https://app.example", scope="openid", expires_at=now + left, **tokens
        ),
        TokenFamily: lambda left: TokenFamily(scope="openid", expires_at=now + left, **tokens),
        RevokedToken: lambda left: RevokedToken(jti=words(), expires_at=now + left),
        RefusedRequest: lambda left: RefusedRequest(reference=words(12), code="x", endpoint="token", at=now + left),
        AddressProof: lambda left: AddressProof(purpose="sign_in", address="ada@example.org", code=b"c", expires_at=now + left),
        GuessCounter: lambda left: GuessCounter(key=secrets.token_bytes(32), failures=1, last_at=now + left),
        Limit: lambda left: Limit(key=secrets.token_bytes(32), count=1, ends_at=int((now + left).timestamp() * 1000)),
        Delivery: lambda left: Delivery(receiver="mail", payload="", state=Delivery.State.DONE, done_at=now + left),
    }


@pytest.mark.django_db
def test_old_rows_leave_in_batches_and_living_ones_stay(settings: Any) -> None:
    client, _ = registry.create({"client_name": "App", "redirect_uris": ["https://app.example/back"]})
    made = makers(make_person(), client)
    for model, make in made.items():
        old = [make(timedelta(days=-400)) for _ in range(cleaning.BATCH + 20 if model is Delivery else 20)]
        model._default_manager.bulk_create([*old, make(timedelta(minutes=10))])
    most = max(import_string(path)() for path in settings.CLEANERS)
    assert most == cleaning.BATCH, "a batch is bounded: it must not hold locks for long"
    cleaning.clean_up()
    assert {model.__name__: model._default_manager.count() for model in made} == {model.__name__: 1 for model in made}


@pytest.mark.django_db
def test_families_that_nobody_uses_leave_before_their_absolute_end(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "WINDOW", 3)
    monkeypatch.setattr(families, "_looked_up_to", families._START)
    client, _ = registry.create({"client_name": "App", "redirect_uris": ["https://app.example/back"]})
    person, now = make_person(), clock.now()
    offline, session = (timedelta(seconds=s) for s in (settings.IDP.refresh_token_idle_seconds, settings.IDP.session_idle_seconds))
    day = timedelta(days=1)

    def family(unused: timedelta, *, offline: bool, digest: bytes | None = b"d" * 32) -> TokenFamily:
        return TokenFamily.objects.create(
            client=client, user=person, scope="openid", auth_time=now, acr="0", sid="s", epoch=0, offline=offline,
            current_digest=digest, last_used_at=now - unused, expires_at=now + timedelta(days=100),
        )  # fmt: skip

    kept = [
        family(offline, offline=True),
        family(session + day * 2, offline=True),
        family(session, offline=False),
        family(session + day * 2, offline=False, digest=None),
    ]
    for _ in range(5):
        family(offline + day * 2, offline=True)
        family(session + day * 2, offline=False)
    assert sum(families.delete_idle() for _ in range(8)) == 10
    assert set(TokenFamily.objects.values_list("pk", flat=True)) == {one.pk for one in kept}
