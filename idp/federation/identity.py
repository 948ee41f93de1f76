"""Who came from an upstream, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from idp.accounts import claims as our_claims
from idp.accounts.emails import canonical_email

from .upstreams import Upstream

GMAIL = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at an upstream: `issuer` and `subject` are who (OpenID Connect Core 5.7), all else is what is said about them.

    `email_proven`: the upstream vouches for the address, and may. `profile` holds claims of ours, checked. `two_factors`: it said so in
    words that the operator chose to trust.
    """

    upstream: str
    issuer: str
    subject: str
    email: str = ""
    email_proven: bool = False
    two_factors: bool = False
    profile: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """For a session."""
        return asdict(self)


def read(upstream: Upstream, told: Mapping[str, Any]) -> Identity:
    """The identity in the claims of an ID token (and UserInfo); what cannot be used is left out."""
    email = _address(told.get("email"))
    return Identity(
        upstream=upstream.name,
        issuer=upstream.issuer,
        subject=str(told["sub"]),
        email=email,
        email_proven=bool(email)
        and upstream.options.trust_email
        and told.get("email_verified") is True
        and _may_vouch(upstream, email, told),
        two_factors=_has_two_factors(upstream, told),
        profile=_profile(upstream, told),
    )


def of_stored(stored: Any) -> Identity | None:
    """The inverse of `Identity.stored`."""
    try:
        return Identity(**stored)
    except TypeError:
        return None


def _address(value: Any) -> str:
    try:
        return canonical_email(value)
    except ValidationError:
        return ""


def _may_vouch(upstream: Upstream, email: str, told: Mapping[str, Any]) -> bool:
    """Google owns gmail.com and vouches for Workspace domains (`hd`); any other address it knows only from long ago (hostile case GL-03)."""
    if not upstream.is_google:
        return True
    domain = email.rpartition("@")[2]
    hosted = told.get("hd")
    return domain in GMAIL or (isinstance(hosted, str) and hosted.lower() == domain)


def _has_two_factors(upstream: Upstream, told: Mapping[str, Any]) -> bool:
    trusted = upstream.options.trusted_acr
    if not trusted:
        return False  # upstream strength is never assumed (ASVS 6.8.4)
    amr = told.get("amr")
    said = [told.get("acr"), *(amr if isinstance(amr, list) else [])]
    return any(isinstance(one, str) and one in trusted for one in said)


def _profile(upstream: Upstream, told: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ours, theirs in upstream.options.mapping.items():
        try:
            one = our_claims.validated({ours: told.get(theirs)})
            our_claims.within_limits({**found, **one})
        except our_claims.ClaimError:
            continue
        found |= one
    return found
