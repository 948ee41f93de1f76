"""A person takes back what an app was allowed."""

from __future__ import annotations

from django.db import transaction

from idp.accounts.models import User
from idp.consent import agreement
from idp.events import catalogue, emit
from idp.kernel.clock import now
from idp.oidc.issuance import families
from idp.oidc.models import Client


def take_back(*, user: User, client_id: str) -> bool:
    """Forget the consent and end every token of the pair, at once. False = there was neither."""
    with transaction.atomic():
        client_pk = Client.objects.filter(client_id=client_id).values_list("pk", flat=True).first()
        ended = 0 if client_pk is None else families.revoke_between(user_id=user.pk, client_pk=client_pk, now=now())
        # After the tokens: an event locks the person's sequence, and whoever redeems a code at this moment does it in this order.
        there_was = agreement.forget(user=user, client_id=client_id)
        if ended:
            emit(catalogue.TokensRevoked(client_id=client_id, reason="person"), person=user.pk)
    return there_was or ended > 0
