"""People and clients for tests, made by the functions that the product itself uses."""

from __future__ import annotations

from idp.accounts.models import User

PASSWORD = "correct horse battery staple"


def make_person(*, email: str = "ada@example.org", password: str = PASSWORD, verified: bool = True) -> User:
    """A person who may sign in; `verified=False` leaves the address unproven."""
    from allauth.account.models import EmailAddress

    user = User.objects.create_user(email=email, password=password)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=verified)
    return user
