"""Signed heads: now and then one statement, signed by the provider's key, of where every chain stands."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from idp.audit.models import Head, Sealer, Stream
from idp.audit.verifier import HEAD_TYPE, decode, head_digest
from idp.kernel import clock, jose, sealing
from idp.oidc.keys import ring
from idp.oidc.models import SigningKey

log = logging.getLogger(__name__)

ALGORITHM = "ES256"
EVERY = timedelta(minutes=5)
AT_LEAST_EVERY = timedelta(days=1)  # also when nothing happens: an old head is then a sign of a cut, or of a schedule that stands still


def sign_if_due() -> Head | None:
    """A new head if chains grew since the last one and it is five minutes old, or it is a day old."""
    newest = Head.objects.order_by("-number").first()
    age = clock.now() - newest.at if newest else AT_LEAST_EVERY
    if age < EVERY:
        return None
    places = _places()
    if not places or (age < AT_LEAST_EVERY and newest is not None and said(newest).get("streams") == places):
        return None
    return sign()


def sign() -> Head | None:
    """A new head now. None when somebody else seals at this moment, or no key can sign yet."""
    with transaction.atomic():
        if lock() is None:
            return None
        newest = Head.objects.order_by("-number").first()
        moment, places = clock.now(), _places()
        number = newest.number + 1 if newest else 1
        claims = {
            "iss": settings.IDP.issuer,
            "iat": int(moment.timestamp()),
            "number": number,
            "previous": head_digest(newest.jws) if newest else "",
            "streams": places,
        }
        try:
            jws = ring.signer(ALGORITHM).sign(claims, typ=HEAD_TYPE)
        except ring.NoSigningKey:
            return None
        head = Head.objects.create(number=number, at=moment, jws=jws)
    # A second witness: whoever changes the database would have to change the logs that have left the machine as well.
    log.info("audit head %d: %s", number, ", ".join(f"{name} {place['seq']} {place['hash']}" for name, place in places.items()))
    return head


def lock() -> Sealer | None:
    """The right to seal until the end of the transaction; None while somebody else has it."""
    if connection.features.has_select_for_update_skip_locked:
        return Sealer.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    return Sealer.objects.filter(pk=1).first()  # SQLite: the transaction holds the one write lock


def hold() -> None:
    """Keep everybody from sealing until the end of the transaction; waits for who is at it (PostgreSQL; SQLite has one writer)."""
    if connection.vendor == "postgresql":
        list(Sealer.objects.select_for_update().filter(pk=1))


def own_keys() -> dict[str, dict[str, str]]:
    """Public keys (JWK by kid) that are proved to be this provider's: the sealed private half opens and belongs to it.

    Somebody who can write to the database only could add a public key of their own, but not seal its private half.
    """
    found = {}
    for row in SigningKey.objects.all():
        try:
            private = jose.load_private(sealing.unseal(row.private_sealed, purpose=ring.SEALING_PURPOSE))
        except (sealing.SealBroken, ValueError):
            continue
        jwk = jose.public_jwk(private, row.algorithm)
        if jwk["kid"] == row.kid:
            found[row.kid] = jwk
    return found


def _places() -> dict[str, Any]:
    return {
        stream.name: {"seq": stream.seq, "hash": bytes(stream.hash).hex(), "cut": stream.cut_seq}
        for stream in Stream.objects.order_by("name")
    }


def said(head: Head) -> dict[str, Any]:
    """What a head claims, whoever signed it; empty when it cannot be read."""
    try:
        claims: dict[str, Any] = json.loads(decode(head.jws.split(".")[1]))
    except (ValueError, IndexError):
        return {}
    return claims
