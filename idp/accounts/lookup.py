"""People for the hot protocol paths: plain statements, only the columns that gate and claims need."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from idp.kernel import db

from .models import User

COLUMNS = ("id", "email", "email_verified_at", "phone", "phone_verified_at", "is_active", "credential_epoch", "claims", "updated_at")
SELECT = f"SELECT {', '.join(COLUMNS)} FROM accounts_user WHERE "  # noqa: S608 - constants only


def from_row(row: Sequence[Any]) -> User:
    """A `User` from the values of `COLUMNS`; other columns load when touched."""
    user_id, email, verified_at, phone, phone_verified_at, is_active, epoch, claims, updated_at = row
    values = {
        "id": db.as_uuid(user_id),
        "email": email,
        "email_verified_at": None if verified_at is None else db.as_time(verified_at),
        "phone": phone,
        "phone_verified_at": None if phone_verified_at is None else db.as_time(phone_verified_at),
        "is_active": bool(is_active),
        "credential_epoch": epoch,
        "claims": db.as_json(claims),
        "updated_at": db.as_time(updated_at),
    }
    # `from_db` pairs values with the model's fields in the order in which the model declares them, whatever names it is given.
    names = _in_order()
    return User.from_db("default", names, [values[name] for name in names])


@cache
def _in_order() -> list[str]:
    return [field.attname for field in User._meta.concrete_fields if field.attname in COLUMNS]
