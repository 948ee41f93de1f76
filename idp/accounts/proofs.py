"""Proving an address with a code: 15 minutes, 3 tries, sent again with growing patience; alike for addresses that are taken.

Who signs up becomes a person when the code comes back, not before: an address that nobody proved blocks nobody (PW-17, PW-18), and
verification happens in the browser that asked, so a victim's click cannot verify a stranger's account.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from idp.kernel import clock, limits

from . import gate, mail, passwords, people
from .authentication import find
from .emails import canonical_email
from .models import AddressProof, User

if TYPE_CHECKING:
    from datetime import datetime

LIFE = timedelta(minutes=15)
TRIES = 3
MOST_SENT = 5
PATIENCE = (60, 120, 300, 600)  # seconds before the second, third, … mail
KEPT = timedelta(hours=2)
# Mails to one address, whoever asks: enough for a person who mistypes, too few to flood a stranger's mailbox.
ADDRESS_LIMIT = 6
ADDRESS_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code did: the person it proved, or why not and how many tries are left."""

    user: User | None = None
    refusal: Literal["", "wrong", "spent", "taken"] = ""
    tries_left: int = 0


def begin_sign_up(*, email: str, password: str) -> AddressProof:
    """Keep a sign-up until its code comes back, and mail the code; to an address that is taken, a mail that says so instead.

    Both ways cost one hash, one row and one mail (PW-02). Raises ValidationError for a bad address, passwords.HashingBusy.
    """
    address = canonical_email(email)
    owner = find(address)
    hashed = make_password(passwords.normalise(password))
    # An account that nobody has verified yet belongs to whoever proves the address.
    taken = owner is not None and gate.refusal(owner) != "unverified"
    proof = _new(AddressProof.Purpose.SIGN_UP, address, user=None if taken else owner)
    proof.password, proof.decoy = hashed, taken
    _save_and_send(proof)
    return proof


def begin_sign_in(user: User) -> AddressProof:
    """The password was right, but nobody has proved the address yet."""
    assert user.email
    proof = _new(AddressProof.Purpose.SIGN_IN, user.email, user=user)
    _save_and_send(proof)
    return proof


def confirm(proof_id: UUID, code: str) -> Verdict:
    """Take one of the tries; with the right code, make true what the proof is for. Exact under parallel guesses."""
    now = clock.now()
    with transaction.atomic():
        tried = AddressProof.objects.filter(pk=proof_id, used_at=None, tries__lt=TRIES, expires_at__gt=now).update(tries=F("tries") + 1)
    proof = AddressProof.objects.select_related("user").filter(pk=proof_id).first()
    if not tried or proof is None:
        return Verdict(refusal="spent")
    if proof.decoy or not hmac.compare_digest(bytes(proof.code), _digest(proof.pk, code)):
        return Verdict(refusal="wrong" if proof.tries < TRIES else "spent", tries_left=max(0, TRIES - proof.tries))
    with transaction.atomic():
        # The single-use gate is the first statement: two windows cannot both finish one sign-up.
        if not AddressProof.objects.filter(pk=proof_id, used_at=None).update(used_at=now):
            return Verdict(refusal="spent")
        try:
            return Verdict(user=_proved(proof))
        except (people.EmailTaken, people.Overtaken):
            return Verdict(refusal="taken")


def find_open(proof_id: UUID) -> AddressProof | None:
    """The proof if it waits for its code, or may at least be sent again."""
    return AddressProof.objects.filter(pk=proof_id, used_at=None, expires_at__gt=clock.now() - KEPT).first()


def resend_after(proof: AddressProof) -> datetime | None:
    """When the next mail may be asked for; None when there were enough."""
    if proof.sent >= MOST_SENT:
        return None
    return proof.sent_at + timedelta(seconds=PATIENCE[min(proof.sent, len(PATIENCE)) - 1])


def resend(proof: AddressProof) -> bool:
    """Mail a new code with new tries, if it is time; the former code is worthless from then on. False when it is too early."""
    due = resend_after(proof)
    now = clock.now()
    if due is None or due > now:
        return False
    code = _new_code()
    with transaction.atomic():
        claimed = AddressProof.objects.filter(pk=proof.pk, used_at=None, sent=proof.sent).update(
            code=_digest(proof.pk, code), tries=0, sent=F("sent") + 1, sent_at=now, expires_at=now + LIFE
        )
        if claimed:
            proof.refresh_from_db()
            _send(proof, code)
    return bool(claimed)


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of proofs that nobody can use any more; returns how many."""
    old = list(AddressProof.objects.filter(expires_at__lt=clock.now() - KEPT).values_list("pk", flat=True)[:limit])
    return AddressProof.objects.filter(pk__in=old).delete()[0] if old else 0


def _proved(proof: AddressProof) -> User:
    if proof.purpose == AddressProof.Purpose.SIGN_UP and proof.user is None:
        return people.create(email=proof.email, method="signup", password_hash=proof.password, verified=True)
    user = proof.user
    if user is None or user.email != proof.email:
        raise people.Overtaken
    if proof.purpose == AddressProof.Purpose.SIGN_UP:
        if user.email_verified:
            raise people.EmailTaken
        people.recover(user, proof.password)
    else:
        people.mark_verified(user)
    return user


def _new(purpose: AddressProof.Purpose, email: str, *, user: User | None) -> AddressProof:
    now = clock.now()
    return AddressProof(purpose=purpose, email=email, user=user, sent_at=now, expires_at=now + LIFE)


def _save_and_send(proof: AddressProof) -> None:
    allowed = limits.hit("accounts.proof.address", proof.email, limit=ADDRESS_LIMIT, seconds=ADDRESS_SECONDS).allowed
    code = _new_code()
    proof.code = _digest(proof.pk, code)
    with transaction.atomic():
        proof.save(force_insert=True)
        if allowed:
            _send(proof, code)


def _send(proof: AddressProof, code: str) -> None:
    if proof.decoy:
        mail.send(to=proof.email, template="already_registered", expires_at=proof.expires_at)
    else:
        link = f"{settings.IDP.issuer}/signup/verify?code={code}"
        mail.send(to=proof.email, template="verify_code", expires_at=proof.expires_at, code=code, link=link, minutes=LIFE.seconds // 60)


def _new_code() -> str:
    return f"{secrets.randbelow(1_000_000):06d}"


def _digest(proof_id: UUID, code: str) -> bytes:
    # Six digits are no secret at rest unless a key outside of the database is mixed in.
    return salted_hmac("idp.accounts.proofs", f"{proof_id}:{code}", algorithm="sha256").digest()
