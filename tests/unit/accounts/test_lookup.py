"""The short way to load a person gives the same person as the long one."""

from __future__ import annotations

from idp.accounts import lookup
from idp.accounts.models import User
from idp.kernel import db as db_of_ours


def test_every_column_lands_in_its_field(db: None) -> None:
    saved = User.objects.create_user(email="ada@example.org", claims={"name": "Ada"}, credential_epoch=3)
    saved = User.objects.get(pk=saved.pk)
    row = db_of_ours.row(lookup.SELECT + "id = %s", [saved.pk])
    assert row is not None
    found = lookup.from_row(row)
    assert {name: getattr(found, name) for name in lookup.COLUMNS} == {name: getattr(saved, name) for name in lookup.COLUMNS}
