"""What the account page says about a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.accounts.claims import standard_claims
from idp.consent import wording

if TYPE_CHECKING:
    from idp.accounts.models import User

_SHOWN_ELSEWHERE = {"name", "email", "email_verified", "phone_number_verified", "updated_at", "picture"}


def display_name(user: User) -> str:
    """The person's name, else the e-mail address, else the identifier."""
    return str(standard_claims(user).get("name") or user.email or user.pk)


def details(user: User) -> list[tuple[str, str]]:
    """Label and value of everything that is known about the person beside name and e-mail address."""
    claims = standard_claims(user)
    lines = [wording.items(scopes=(), claims=(claim,), about=claims)[0] for claim in claims if claim not in _SHOWN_ELSEWHERE]
    return [(line.title, line.detail) for line in lines if line.detail]
