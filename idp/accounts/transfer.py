"""People from and for other systems: one row each, as JSON lines, CSV or a Firebase export. An import can be repeated: who is there stays as they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from . import claims as profile
from . import erasure, hashers, people
from .addresses import owner_of
from .emails import canonical_email
from .models import User
from .phones import canonical_phone

FORMATS = ("jsonl", "csv", "firebase")
MOST_TOLD = 100  # reasons
LONGEST_LINE = 256 * 1024
OURS = (
    "sub",
    "email",
    "email_verified",
    "phone",
    "phone_verified",
    "password_hash",
    "short_password",
    "disabled",
    "created_at",
    "terms_version",
)


class Wrong(ValueError):
    """A row that cannot become a person. The text names member and rule, never a value."""


@dataclass
class Outcome:
    """What became of the rows: numbers, and why the first hundred were refused, by their number in the file."""

    rows: int = 0
    created: int = 0
    existing: int = 0
    refused: int = 0
    reasons: list[dict[str, object]] = field(default_factory=list)

    def refuse(self, number: int, reason: str) -> None:
        """Count one that was refused."""
        self.refused += 1
        if len(self.reasons) < MOST_TOLD:
            self.reasons.append({"row": number, "reason": reason})


def rows(lines: IO[str], kind: str) -> Iterator[tuple[int, object]]:
    """Number and content of every row. Raises Wrong when the file as a whole is not of its format."""
    if kind == "csv":
        yield from _csv_rows(lines)
    elif kind == "firebase":
        yield from _firebase_rows(lines)
    else:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    yield number, None


def take(found: Iterable[tuple[int, object]], *, dry_run: bool = False) -> Outcome:
    """Make a person of every row that is not one yet. Each is a transaction of its own, so an import that was cut off goes on when it is repeated."""
    outcome = Outcome()
    for number, row in found:
        outcome.rows += 1
        try:
            with transaction.atomic():
                what = _take(row)
                if dry_run:
                    transaction.set_rollback(True)
        except Wrong as error:
            outcome.refuse(number, str(error))
        else:
            if what == "created":
                outcome.created += 1
            else:
                outcome.existing += 1
    return outcome


def described(user: User, *, with_hash: bool) -> dict[str, object]:
    """One person as a row that `take` understands."""
    row: dict[str, object] = {"sub": str(user.pk)}
    if user.email:
        row |= {"email": user.email, "email_verified": user.email_verified}
    if user.phone:
        row |= {"phone": user.phone, "phone_verified": user.phone_verified}
    if not user.is_active:
        row["disabled"] = True
    if user.terms_version:
        row["terms_version"] = user.terms_version
    row["created_at"] = user.date_joined.astimezone(UTC).isoformat(timespec="seconds")
    if with_hash and user.has_usable_password():
        row["password_hash"] = user.password
        if user.short_password:
            row["short_password"] = True
    return {**row, **profile.stored(user)}


def _take(row: object) -> Literal["created", "existing"]:
    if not isinstance(row, Mapping):
        raise Wrong("not a JSON object")
    email, phone, sub = _address(row, "email"), _address(row, "phone"), _sub(row.get("sub"))
    if not email and not phone:
        raise Wrong("neither email nor phone")
    holders = [owner for owner in (owner_of(address) for address in (email, phone) if address) if owner is not None]
    if sub is not None:
        holders += list(User.objects.filter(pk=sub))
    if holders:
        if len({holder.pk for holder in holders}) > 1 or (sub is not None and holders[0].pk != sub):
            raise Wrong("email, phone and sub belong to different people here")
        return "existing"
    if sub is not None and erasure.is_buried(sub):
        raise Wrong("sub: this person was erased here; an identifier is never given out again")
    _create(row, email=email, phone=phone, sub=sub)
    return "created"


def _create(row: Mapping[str, Any], *, email: str, phone: str, sub: UUID | None) -> None:
    flags = {name: _flag(row, name) for name in ("email_verified", "phone_verified", "short_password", "disabled")}
    try:
        claims = profile.validated({name: value for name, value in row.items() if name not in OURS and value not in (None, "")})
        stored = hashers.encoded(row["password_hash"]) if row.get("password_hash") else ""
    except profile.ClaimError as error:
        raise Wrong(str(error)) from None
    except hashers.Unknown as error:
        raise Wrong(f"password_hash: {error}") from None
    claims.pop("updated_at", None)
    try:
        user = people.create(email=email or None, phone=phone or None, method="import", password_hash=stored, claims=claims, person_id=sub)
    except people.AddressTaken:
        raise Wrong("somebody else was faster: run the import again") from None
    if flags["email_verified"] and email:
        people.mark_verified(user)
    if flags["phone_verified"] and phone:
        people.mark_verified(user, phone=True)
    more: dict[str, object] = {"short_password": True} if flags["short_password"] else {}
    if row.get("created_at"):
        more["date_joined"] = _moment(row["created_at"])
    if isinstance(row.get("terms_version"), str):
        more["terms_version"] = row["terms_version"][:40]
    if more:
        User.objects.filter(pk=user.pk).update(**more)
    if flags["disabled"]:
        people.disable(user)


def _address(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value in (None, ""):
        return ""
    if not isinstance(value, str):
        raise Wrong(f"{name}: not a text")
    try:
        return canonical_email(value) if name == "email" else canonical_phone(value)
    except ValidationError:
        raise Wrong(f"{name}: not {'an e-mail address' if name == 'email' else 'a mobile number with country code'}") from None


def _sub(value: object) -> UUID | None:
    if value in (None, ""):
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise Wrong("sub: not a UUID") from None


def _flag(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    if isinstance(value, str):
        value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}.get(value.strip().lower())
    if value is None and row.get(name) in (None, ""):
        return False
    if not isinstance(value, bool):
        raise Wrong(f"{name}: neither true nor false")
    return value


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise Wrong("created_at: not a time like 2026-11-21T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _csv_rows(lines: IO[str]) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or []
        if not {"email", "phone"} & set(names) or len(names) != len(set(names)):
            raise Wrong("the first line must name the columns, among them email or phone, each once")
        for row in reader:
            yield reader.line_num, row if None not in row and None not in row.values() else None
    except csv.Error:
        raise Wrong(f"line {reader.line_num} is not CSV") from None


def _firebase_rows(lines: IO[str]) -> Iterator[tuple[int, object]]:
    try:
        found = json.load(lines)["users"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise Wrong('not a Firebase export: {"users": […]}') from None
    for number, one in enumerate(found if isinstance(found, list) else [None], start=1):
        yield number, _from_firebase(one) if isinstance(one, dict) else None


def _from_firebase(one: dict[str, Any]) -> dict[str, Any]:
    row = {
        "email": one.get("email"),
        "email_verified": one.get("emailVerified", False),
        "phone": one.get("phoneNumber"),
        "phone_verified": bool(one.get("phoneNumber")),  # Firebase knows only numbers that were proved
        "name": one.get("displayName"),
        "disabled": one.get("disabled", False),
    }
    if one.get("passwordHash") and one.get("salt"):
        row["password_hash"] = {"algorithm": "firebase_scrypt", "salt": one["salt"], "hash": one["passwordHash"]}
    return row
