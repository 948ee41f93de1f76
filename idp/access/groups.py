"""Make, change and delete groups, put people in and out. Each change with its event, in one transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from idp.events import emit
from idp.events.catalogue import GroupCreated, GroupDeleted, GroupMemberAdded, GroupMemberRemoved, GroupUpdated
from idp.events.changes import diff
from idp.kernel import generations
from idp.sessions import assurance

from .models import Group, Membership

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from idp.accounts.models import User

GENERATION = "groups"
SHAPE = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,99}", re.ASCII)
LEVELS = (assurance.TWO_FACTORS, assurance.PHISHING_RESISTANT, assurance.HARDWARE)
MEMBERS = ("name", "description", "min_acr", "trusted_browsers")


class GroupError(ValueError):
    """What was asked for cannot be; `member` names what is wrong, the text says why in one sentence."""

    def __init__(self, member: str, text: str) -> None:
        super().__init__(text)
        self.member = member


@dataclass(frozen=True, slots=True)
class Requirement:
    """The weakest acr that would do, empty = any; and whether a trusted browser does instead."""

    acr: str
    trusted_browsers: bool


NONE = Requirement("", trusted_browsers=True)


def create(*, by: UUID | None = None, **values: Any) -> Group:
    """A new, empty group of these MEMBERS. Raises GroupError."""
    group = Group(**_checked(values))
    with transaction.atomic():
        _save(group, new=True)
        emit(GroupCreated(group=group.name), by=by, changes=diff({}, values))
        generations.bump(GENERATION)
    return group


def change(group: Group, *, by: UUID | None = None, **values: Any) -> None:
    """Give a group other MEMBERS. Raises GroupError."""
    wanted = _checked(values)
    with transaction.atomic():
        group = Group.objects.select_for_update().get(pk=group.pk)
        changed = tuple(sorted(name for name, value in wanted.items() if getattr(group, name) != value))
        if not changed:
            return
        changes = diff({name: getattr(group, name) for name in changed}, {name: wanted[name] for name in changed})
        for name in changed:
            setattr(group, name, wanted[name])
        _save(group, new=False)
        emit(GroupUpdated(group=group.name, members=changed), by=by, changes=changes)
        generations.bump(GENERATION)


def delete(group: Group, *, by: UUID | None = None) -> None:
    """Nobody is in it any more, and nothing asks for it."""
    with transaction.atomic():
        if Group.objects.filter(pk=group.pk).delete()[0]:
            emit(GroupDeleted(group=group.name), by=by, changes=diff({"name": group.name}, {}))
            generations.bump(GENERATION)


def add(group: Group, user: User, *, by: UUID | None = None) -> bool:
    """Put somebody in. False = they were in already."""
    with transaction.atomic():
        _membership, added = Membership.objects.get_or_create(group=group, user=user)
        if added:
            emit(GroupMemberAdded(group=group.name), person=user.pk, by=by, changes=diff({"member": False}, {"member": True}))
    return added


def remove(group: Group, user: User, *, by: UUID | None = None) -> bool:
    """Put somebody out. False = they were not in."""
    with transaction.atomic():
        removed = Membership.objects.filter(group=group, user=user).delete()[0] > 0
        if removed:
            emit(GroupMemberRemoved(group=group.name), person=user.pk, by=by, changes=diff({"member": True}, {"member": False}))
    return removed


def names_of(user_id: UUID) -> list[str]:
    """The groups that somebody is in, by name."""
    return list(Group.objects.filter(memberships__user_id=user_id).order_by("name").values_list("name", flat=True))


_asking: tuple[int, dict[int, Requirement]] | None = None


def requirement(user_id: UUID) -> Requirement:
    """What the strictest of somebody's groups asks of a sign-in. Costs no query as long as no group asks for anything."""
    global _asking
    number = generations.current(GENERATION)
    if _asking is None or _asking[0] != number:
        rows = Group.objects.exclude(min_acr="").values_list("pk", "min_acr", "trusted_browsers")
        _asking = number, {pk: Requirement(acr, trusted) for pk, acr, trusted in rows}
    asking = _asking[1]
    if not asking:
        return NONE
    theirs = Membership.objects.filter(user_id=user_id, group_id__in=list(asking)).values_list("group_id", flat=True)
    return strictest(asking[pk] for pk in theirs)


def strictest(requirements: Iterable[Requirement]) -> Requirement:
    """All of these at once."""
    asked = [each for each in requirements if each.acr]
    return Requirement(assurance.strongest(*(each.acr for each in asked)), all(each.trusted_browsers for each in asked))


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    assert set(values) <= set(MEMBERS)
    name, acr, description = values.get("name"), values.get("min_acr", ""), values.get("description", "")
    if name is not None and not SHAPE.fullmatch(name):
        raise GroupError("name", "A name has lower-case letters, digits and . _ : / -, at most 100, and begins with a letter or digit.")
    if acr and acr not in LEVELS:
        raise GroupError("min_acr", f"The weakest acr is one of: {', '.join(LEVELS)}.")
    if len(description) > 200 or not all(character.isprintable() for character in description):
        raise GroupError("description", "A description is one line of at most 200 characters.")
    return values


def _save(group: Group, *, new: bool) -> None:
    try:
        with transaction.atomic():
            group.save(force_insert=new, force_update=not new)
    except IntegrityError:
        raise GroupError("name", "There is already a group of this name.") from None
