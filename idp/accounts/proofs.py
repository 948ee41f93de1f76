"""Proving an address with a code: 15 minutes, 3 tries, sent again with growing patience; alike for addresses that are taken or of nobody.

Who signs up becomes a person when the code comes back, not before: an address that nobody proved blocks nobody (PW-17, PW-18), and
verification happens in the browser that asked, so a victim's click cannot verify a stranger's account.
The same code signs in and recovers; there a guess counts where guesses of the password count (PW-12).
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
from idp.kernel.ids import digest, secret_token

from . import authentication, gate, invitations, lockout, passwords, people, proof_messages
from .addresses import canonical_address, is_phone, owner_of
from .models import AddressProof, User

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

Purpose = AddressProof.Purpose

LIFE = timedelta(minutes=15)
RECOVERY_LIFE = timedelta(hours=1)
TRIES = 3
MOST_SENT = 5
PATIENCE = (60, 120, 300, 600)  # seconds before the second, third, … mail
KEPT = timedelta(hours=2)
# Messages to one address in an hour, whoever asks: enough for a person who mistypes, too few to flood a stranger's mailbox (EM-12).
PER_HOUR = {Purpose.SIGN_UP: 6, Purpose.SIGN_IN: 6, Purpose.CODE: 6, Purpose.RECOVERY: 3}
GUESSED = frozenset({Purpose.CODE, Purpose.RECOVERY})  # a code of these opens an account that exists
LONGEST_LINK = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code did: the person it proved, or why not, how many tries are left, and for how many seconds nothing is looked at."""

    user: User | None = None
    refusal: Literal["", "wrong", "spent", "taken", "locked"] = ""
    tries_left: int = 0
    retry_after: int = 0


def begin_sign_up(address: str, *, password: str | None, terms_version: str = "", invitation: UUID | None = None) -> AddressProof:
    """Keep a sign-up until its code comes back, and send the code; to an address that is taken, a message that says so instead.

    Both ways cost one hash, one row and one message (PW-02). Raises ValidationError for a bad address, passwords.HashingBusy.
    """
    address = canonical_address(address)
    owner = owner_of(address)
    hashed = make_password(None if password is None else passwords.normalise(password))
    # An account that nobody has verified yet belongs to whoever proves the address.
    taken = owner is not None and gate.refusal(owner) != "unverified"
    proof = _new(Purpose.SIGN_UP, address, user=None if taken else owner, decoy=taken)
    proof.password, proof.terms_version, proof.invitation_id = hashed, terms_version, invitation
    _save_and_send(proof)
    return proof


def begin_sign_in(user: User) -> AddressProof:
    """The password was right, but nobody has proved the address yet."""
    address = user.email or user.phone
    assert address
    proof = _new(Purpose.SIGN_IN, address, user=user)
    _save_and_send(proof)
    return proof


def begin_code(identifier: str) -> AddressProof:
    """Send what signs in instead of a password: a code, a link for the browser that asked, or both (`IDP_SIGN_IN_METHODS`).

    An address of nobody gets a mail that says so, and a number of nobody nothing, at the same price. Raises ValidationError for what is no address.
    """
    return _begin_for_owner(Purpose.CODE, identifier)


def begin_recovery(identifier: str) -> AddressProof:
    """Send a code for a forgotten password; a mail holds a link as well, which works in every browser (`recovery`). Raises ValidationError."""
    return _begin_for_owner(Purpose.RECOVERY, identifier)


def confirm(proof_id: UUID, code: str, *, request: HttpRequest | None = None) -> Verdict:
    """Take one of the tries; with the right code, make true what the proof is for. Exact under parallel guesses."""
    now = clock.now()
    proof = AddressProof.objects.select_related("user").filter(pk=proof_id).first()
    if proof is None or proof.used_at is not None or proof.tries >= TRIES or proof.expires_at <= now:
        return Verdict(refusal="spent")
    reservation = None
    if proof.purpose in GUESSED:
        reservation = lockout.reserve(authentication.counter(request, proof.user, proof.address))
        if not reservation.allowed:
            return Verdict(refusal="locked", retry_after=reservation.retry_after)
    tried = AddressProof.objects.filter(pk=proof_id, used_at=None, tries__lt=TRIES, expires_at__gt=now).update(tries=F("tries") + 1)
    if not tried:
        if reservation is not None:
            lockout.give_back(reservation.key)  # nothing was looked at
        return Verdict(refusal="spent")
    proof.refresh_from_db(fields=["tries", "code"])
    if proof.decoy or not hmac.compare_digest(bytes(proof.code), _digest(proof.pk, code)):
        if reservation is not None:
            authentication.failed_code(proof.user, method="sms" if is_phone(proof.address) else "email", locks=reservation.is_last)
        return Verdict(refusal="wrong" if proof.tries < TRIES else "spent", tries_left=max(0, TRIES - proof.tries))
    if reservation is not None:
        lockout.clear(reservation.key)
    return _finish(proof)


def confirm_link(proof_id: UUID, token: str) -> Verdict:
    """The link instead of the code: only where one was sent, and only for the browser that holds `proof_id`."""
    proof = with_link(proof_id, token)
    if proof is None or proof.decoy:
        return Verdict(refusal="spent")
    return _finish(proof)


def with_link(proof_id: UUID, token: str) -> AddressProof | None:
    """The open proof that `token` belongs to. Changes nothing (EM-01)."""
    if not 0 < len(token) <= LONGEST_LINK:
        return None
    open_ones = AddressProof.objects.select_related("user").filter(used_at=None, expires_at__gt=clock.now())
    return open_ones.filter(pk=proof_id, link=digest(token)).first()


def find_open(proof_id: UUID, *purposes: Purpose) -> AddressProof | None:
    """The proof if it waits for its code, or may at least be sent again, and is for one of `purposes`."""
    return AddressProof.objects.filter(pk=proof_id, purpose__in=purposes, used_at=None, expires_at__gt=clock.now() - KEPT).first()


def resend_after(proof: AddressProof) -> datetime | None:
    """When the next message may be asked for; None when there were enough."""
    if proof.sent >= MOST_SENT:
        return None
    return proof.sent_at + timedelta(seconds=PATIENCE[min(proof.sent, len(PATIENCE)) - 1])


def resend(proof: AddressProof) -> bool:
    """Send a new code with new tries, if it is time; the former code is worthless from then on. False when it is too early."""
    due = resend_after(proof)
    now = clock.now()
    if due is None or due > now or not _admitted(proof):
        return False
    code, link = _secrets(proof)
    with transaction.atomic():
        claimed = AddressProof.objects.filter(pk=proof.pk, used_at=None, sent=proof.sent).update(
            code=proof.code,
            link=proof.link,
            tries=0,
            sent=F("sent") + 1,
            sent_at=now,
            expires_at=now + life(proof),
        )
    if claimed:
        proof.refresh_from_db()
        proof_messages.send(proof, code=code, link=link, minutes=minutes(proof))
    return bool(claimed)


def life(proof: AddressProof) -> timedelta:
    """How long a code of this proof works."""
    return RECOVERY_LIFE if proof.purpose == Purpose.RECOVERY else LIFE


def minutes(proof: AddressProof) -> int:
    """The same in minutes."""
    return life(proof).seconds // 60


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of proofs that nobody can use any more; returns how many."""
    old = list(AddressProof.objects.filter(expires_at__lt=clock.now() - KEPT).values_list("pk", flat=True)[:limit])
    return AddressProof.objects.filter(pk__in=old).delete()[0] if old else 0


def has_code(proof: AddressProof) -> bool:
    """Whether a code is sent, and not only a link."""
    return proof.purpose != Purpose.CODE or is_phone(proof.address) or "email_code" in settings.IDP.sign_in_methods


def _has_link(proof: AddressProof) -> bool:
    return proof.purpose == Purpose.CODE and not is_phone(proof.address) and "magic_link" in settings.IDP.sign_in_methods


def _begin_for_owner(purpose: Purpose, identifier: str) -> AddressProof:
    address = canonical_address(identifier)
    owner = owner_of(address)
    known = owner is not None and owner.is_active
    proof = _new(purpose, address, user=owner if known else None, decoy=not known)
    _save_and_send(proof)
    return proof


def _finish(proof: AddressProof) -> Verdict:
    try:
        with transaction.atomic():
            # The single-use gate is the first statement: two windows cannot both finish one sign-up.
            if not AddressProof.objects.filter(pk=proof.pk, used_at=None).update(used_at=clock.now()):
                return Verdict(refusal="spent")
            return Verdict(user=_proved(proof))
    except (people.AddressTaken, people.Overtaken):
        AddressProof.objects.filter(pk=proof.pk).update(used_at=clock.now())
        return Verdict(refusal="spent" if proof.purpose in GUESSED else "taken")


def _proved(proof: AddressProof) -> User:
    by_phone = is_phone(proof.address)
    if proof.purpose == Purpose.SIGN_UP:
        if proof.invitation_id is not None and not invitations.claim(proof.invitation_id):
            raise people.Overtaken
        return _signed_up(proof, by_phone=by_phone)
    user = proof.user
    if user is None or proof.address != (user.phone if by_phone else user.email) or user.credential_epoch != proof.epoch:
        raise people.Overtaken
    if proof.purpose == Purpose.CODE and user.unverified_until is not None:
        people.forget_password(user)  # whoever made this account never proved the address: their password is not the owner's (PW-18)
    if proof.purpose != Purpose.RECOVERY:  # that one verifies when the new password is set
        people.mark_verified(user, phone=by_phone)
    return user


def _signed_up(proof: AddressProof, *, by_phone: bool) -> User:
    user = proof.user
    if user is None:
        email, phone = (None, proof.address) if by_phone else (proof.address, None)
        user = people.create(email=email, phone=phone, method="signup", password_hash=proof.password, verified=True)
    elif gate.refusal(user) != "unverified" or proof.address != (user.phone if by_phone else user.email):
        raise people.AddressTaken
    else:
        people.recover(user, proof.password, by_phone=by_phone)
    if proof.terms_version:
        people.accept_terms(user, proof.terms_version)
    return user


def _new(purpose: Purpose, address: str, *, user: User | None, decoy: bool = False) -> AddressProof:
    now = clock.now()
    proof = AddressProof(purpose=purpose, address=address, user=user, decoy=decoy, sent_at=now)
    proof.epoch = user.credential_epoch if user is not None else 0
    proof.expires_at = now + life(proof)
    return proof


def _save_and_send(proof: AddressProof) -> None:
    allowed = _admitted(proof)
    code, link = _secrets(proof)
    if not allowed:
        # What is sent to nobody can only be guessed, in as many sign-ups as somebody cares to begin: nothing fits.
        proof.code, proof.link = _digest(proof.pk, secret_token()), None
    with transaction.atomic():
        proof.save(force_insert=True)
        if allowed and not is_phone(proof.address):
            proof_messages.send(proof, code=code, link=link, minutes=minutes(proof))
    if allowed and is_phone(proof.address):
        proof_messages.send(proof, code=code, link="", minutes=minutes(proof))  # its budgets count outside of a transaction


def _admitted(proof: AddressProof) -> bool:
    name = "accounts.recovery.address" if proof.purpose == Purpose.RECOVERY else "accounts.proof.address"
    return limits.hit(name, proof.address, limit=PER_HOUR[Purpose(proof.purpose)], seconds=3600).allowed


def _secrets(proof: AddressProof) -> tuple[str, str]:
    """A new code and link for `proof`, each empty where none is sent; the proof keeps their digests."""
    code = f"{secrets.randbelow(1_000_000):06d}" if has_code(proof) else ""
    link = secret_token(24) if _has_link(proof) else ""
    proof.code = _digest(proof.pk, code or secret_token())  # where no code is sent, nothing fits
    proof.link = digest(link) if link else None
    return code, link


def _digest(proof_id: UUID, code: str) -> bytes:
    # Six digits are no secret at rest unless a key outside of the database is mixed in.
    return salted_hmac("idp.accounts.proofs", f"{proof_id}:{code}", algorithm="sha256").digest()
