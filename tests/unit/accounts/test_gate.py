"""The one account gate."""

import pytest
from django.utils import timezone

from idp.accounts.gate import refusal
from idp.accounts.models import User


def _user(**values):
    return User(**{"email": "ana@example.org", "email_verified_at": timezone.now(), "credential_epoch": 3, **values})


@pytest.mark.parametrize(
    ("user", "epoch", "expected"),
    [
        (_user(), None, None),
        (_user(), 3, None),
        (_user(), 2, "stale"),
        (_user(is_active=False), 3, "disabled"),
        (_user(is_active=False, email_verified_at=None), 2, "disabled"),
        (_user(email_verified_at=None), None, "unverified"),
        (_user(email=None, email_verified_at=None), None, None),  # nothing to prove
    ],
)
def test_who_may_get_something_now(user, epoch, expected):
    assert refusal(user, epoch=epoch) == expected
