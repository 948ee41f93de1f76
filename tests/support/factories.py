"""People and clients for tests, made by the functions that the product itself uses."""

from __future__ import annotations

from idp.accounts import people
from idp.accounts.models import User

PASSWORD = "correct horse battery staple"


def make_person(*, email: str = "ada@example.org", password: str = PASSWORD, verified: bool = True) -> User:
    """A person who may sign in; `verified=False` leaves the address unproven."""
    return people.create(email=email, password=password, method="command", verified=verified)
