"""People and clients for tests, made by the functions that the product itself uses."""

from __future__ import annotations

from functools import cache

from django.contrib.auth.hashers import make_password

from idp.accounts import people
from idp.accounts.models import User

PASSWORD = "correct horse battery staple"


def make_person(*, email: str = "ada@example.org", password: str = PASSWORD, verified: bool = True) -> User:
    """A person who may sign in; `verified=False` leaves the address unproven."""
    return people.create(email=email, password_hash=_hashed(password), method="command", verified=verified)


@cache
def _hashed(password: str) -> str:
    """Once per process: thousands of tests want somebody with the same password."""
    return make_password(password)
