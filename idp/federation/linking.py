"""Whose is an identity from an upstream? Known, new, or somebody who must first prove that the account here is theirs. Never by address alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from idp.accounts import address_change, gate, invitations, mail, people, profile, ways_in
from idp.accounts import claims as our_claims
from idp.accounts.authentication import find
from idp.accounts.models import User
from idp.events import catalogue, emit
from idp.kernel import clock

from . import allauth, identity, upstreams
from .allauth import Link, Taken
from .identity import Identity

if TYPE_CHECKING:
    from .upstreams import Upstream

WAITS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Decision:
    """`user` is who it is, new or known. Otherwise `why` not: "taken": an account with this address is here (`owner`), and whoever
    signs in to it may link; "unproven": the upstream vouches for no address; "closed": nobody may sign up; "uninvited": nobody may
    without an invitation.
    """

    user: User | None = None
    created: bool = False
    owner: User | None = None
    why: Literal["", "taken", "unproven", "closed", "uninvited"] = ""


def decide(upstream: Upstream, who: Identity, *, invitation: UUID | None = None) -> Decision:
    """Find or make the person. In one transaction with its events. `invitation`: the one that somebody new brought along."""
    try:
        with transaction.atomic():
            found = _decide(upstream, who, invitation)
            if found.why in ("closed", "uninvited"):
                transaction.set_rollback(True)  # nothing changes for somebody who does not get in
            return found
    except (Taken, people.AddressTaken, people.Overtaken):
        return _overtaken(who)


def _decide(upstream: Upstream, who: Identity, invitation: UUID | None) -> Decision:
    link = allauth.link_of(who.issuer, who.subject)
    if link is not None:
        _refresh(upstream, link, who)
        allauth.used(link, who)
        return Decision(User.objects.get(pk=link.user.pk))
    if not who.email_proven:
        return Decision(why="unproven")
    owner = find(who.email)
    if owner is None:
        return _open_account(upstream, who, invitation)
    if owner.email_verified or not owner.is_active:
        # Also a person who is disabled: the way on is the same, and tells nothing more.
        return _overtaken(who)
    # Nobody ever proved this address here; the upstream's word does. What a squatter set up ends (hostile cases GL-02, PW-18).
    return _take_over(upstream, who, invitation)


def _take_over(upstream: Upstream, who: Identity, invitation: UUID | None) -> Decision:
    person = people.supersede_unverified(who.email)
    if person is not None:
        ways_in.forget_all(person)
        _attach(upstream, person, who, method="takeover")
        return Decision(person)
    held = find(who.email)
    if held is not None and (held.is_staff or held.email_verified or not held.is_active):
        return _overtaken(who)
    if held is not None:  # somebody's who proved another address (a phone number): theirs stays theirs, this address does not
        people.release_address(held)
    return _open_account(upstream, who, invitation)


def _open_account(upstream: Upstream, who: Identity, invitation: UUID | None) -> Decision:
    if settings.IDP.signup == "closed" or not upstream.options.signup:
        return Decision(why="closed")
    if settings.IDP.signup == "invitation" and not invitations.claim_for(who.email, held=invitation):
        return Decision(why="uninvited")
    user = people.create(email=who.email, method="federation", verified=True, claims=dict(who.profile))
    _attach(upstream, user, who, method="signup")
    return Decision(user, created=True)


def _overtaken(who: Identity) -> Decision:
    """The address has an account here: of this very person, who came in another tab a moment ago, or of somebody."""
    link = allauth.link_of(who.issuer, who.subject)
    return Decision(link.user) if link is not None else Decision(why="taken", owner=find(who.email))


def _attach(upstream: Upstream, user: User, who: Identity, *, method: str) -> Link:
    link = allauth.create(user, who)
    emit(catalogue.LinkAdded(upstream=upstream.name, method=method), person=user.pk)
    return link


def link(upstream: Upstream, user: User, who: Identity) -> None:
    """The person, who proved a moment ago that the account here is theirs, wants both together. Raises Taken. Told by mail."""
    with transaction.atomic():
        known = allauth.link_of(who.issuer, who.subject)
        if known is not None and known.user.pk == user.pk:
            return
        made = _attach(upstream, user, who, method="person")
        _refresh(upstream, made, who, first=True)
        _tell(user, upstream, linked=True)


def unlink(user: User, link_id: int) -> Literal["", "gone", "last"]:
    """End a link of this person; "last" when nothing else would let them in any more (hostile case WK-17)."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # one change of one person's ways in at a time
        mine = next((one for one in allauth.links_of(user) if one.id == link_id), None)
        if mine is None:
            return "gone"
        if ways_in.count(user) <= (1 if is_a_way_in(mine) else 0):
            return "last"
        allauth.delete(user, link_id)
        upstream = upstream_of(mine.issuer)
        emit(catalogue.LinkRemoved(upstream=upstream.name if upstream is not None else ""), person=user.pk)
        _tell(user, upstream, linked=False, issuer=mine.issuer)
    return ""


def upstream_of(issuer: str) -> Upstream | None:
    """The upstream that links to this issuer belong to now, switched on ones first."""
    found = [one for one in upstreams.everything().values() if one.issuer == issuer]
    return next((one for one in found if one.enabled), found[0] if found else None)


def is_a_way_in(one: Link) -> bool:
    """Whether it lets its person in today: an upstream that is switched off or gone does not."""
    upstream = upstream_of(one.issuer)
    return upstream is not None and upstream.enabled


def ways_in_of(user: User) -> int:
    """How many links let this person in (`settings.WAYS_IN`)."""
    return sum(1 for one in allauth.links_of(user) if is_a_way_in(one))


def forget_all(user: User, *, since: datetime | None = None) -> None:
    """End every link, or each that was made `since` then (`settings.CREDENTIALS`): it was not the owner of the address who made it."""
    allauth.delete_of(user, since=since)


def _refresh(upstream: Upstream, known: Link, who: Identity, *, first: bool = False) -> None:
    """Take over what the upstream says now, where the person has not said otherwise: what is here is still what it said last time.

    What the person changed or took away stays so. When a link is made, only what is empty is filled.
    """
    if upstream.options.refresh == "never" and not first:
        return
    _refresh_address(known.user, who, before="" if first else known.address)
    here = our_claims.stored(User.objects.select_for_update().get(pk=known.user.pk))
    before: Mapping[str, Any] = {} if first else known.told
    changes = {name: value for name, value in who.profile.items() if here.get(name) == before.get(name) and here.get(name) != value}
    if not first:  # what it does not say any more goes as well
        changes |= {name: None for name, value in before.items() if name not in who.profile and here.get(name) == value}
    try:
        profile.change(known.user, changes, role="operator")
    except our_claims.ClaimError:  # too much in all; what is here is as good
        return


def _refresh_address(user: User, who: Identity, *, before: str) -> None:
    """The same with the e-mail address, where the upstream vouches for it. The former one is told, and can take it back for a week."""
    here = user.email or ""
    if not who.email_proven or not user.is_active:
        return
    if here == who.email:
        if not user.email_verified:
            people.mark_verified(user)
    elif here == before:
        address_change.vouched(user, who.email)


def _tell(user: User, upstream: Upstream | None, *, linked: bool, issuer: str = "") -> None:
    """Every change of how somebody signs in is told by mail (ASVS 6.3.7)."""
    if not user.email or not user.email_verified:
        return
    if linked:
        sentence = _("From now on you can sign in to your account here with your account at %(provider)s.")
    else:
        sentence = _("Your account at %(provider)s does not sign you in any more.")
    mail.send(to=user.email, template="sign_in_changed", what=sentence % {"provider": upstream.label if upstream is not None else issuer})


# An identity that waits, in the session of its browser, for a person who proves that the account here is theirs.


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who came from where; `user` is the only person here that it may be linked to, if that is known."""

    identity: Identity
    user: str | None
    continue_to: str
    client_id: str | None
    since: datetime

    def stored(self) -> dict[str, Any]:
        return {
            "identity": self.identity.stored(),
            "user": self.user,
            "continue_to": self.continue_to,
            "client_id": self.client_id,
            "since": self.since.isoformat(),
        }


def waiting(stored: Any) -> Waiting | None:
    """What `Waiting.stored` made, if it is not too old and its upstream is still switched on (hostile case GL-12)."""
    if not isinstance(stored, Mapping):
        return None
    who = identity.of_stored(stored.get("identity"))
    since = datetime.fromisoformat(str(stored.get("since")))
    if who is None or clock.now() - since > WAITS or upstreams.find(who.upstream) is None:
        return None
    return Waiting(who, stored.get("user"), str(stored.get("continue_to")), stored.get("client_id"), since)


def may_link(held: Waiting, user: User) -> bool:
    """Whether this signed-in person is the one whose account it may be linked to."""
    return (held.user is None or held.user == str(user.pk)) and gate.refusal(user) is None


__all__ = ["Decision", "Taken", "Waiting", "decide", "is_a_way_in", "link", "may_link", "unlink", "upstream_of", "waiting", "ways_in_of"]
