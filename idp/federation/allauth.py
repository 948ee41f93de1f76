"""The only module that touches allauth.socialaccount (and requests, which it speaks); tests/contracts/allauth imports every name used here.

What allauth gives: the table of linked accounts, and the OAuth client (authorization address, PKCE, redemption of the code). What is
ours: who may be reached and how long (kernel.outbound), `state` and nonce, the judgement of ID tokens, and all rules of linking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from django.db import IntegrityError, transaction
from requests.adapters import BaseAdapter

from . import reach
from .reach import Unreachable

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

    from idp.accounts.models import User

    from .documents import Metadata
    from .identity import Identity
    from .upstreams import Upstream

MOST_UID = 191
SCOPE = ("openid", "email", "profile")  # nothing more is ever asked for (hostile case GL-14, RFC 9700 2.3)


class _Outbound(BaseAdapter):
    """The transport of allauth's requests: kernel.outbound, within the time that the step has left."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        content = request.body.encode() if isinstance(request.body, str) else request.body
        assert content is None or isinstance(content, bytes)  # allauth sends forms
        headers = {name: str(value) for name, value in request.headers.items() if name.lower() not in ("content-length", "connection")}
        found = reach.fetch(request.url or "", method=request.method or "GET", headers=headers, content=content)
        response = requests.Response()
        response.status_code, response._content, response.request = found.status, found.body, request
        response.headers.update(found.headers)
        response.url, response.encoding = request.url or "", "utf-8"
        return response

    def close(self) -> None:
        """Nothing is kept open."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """`settings.SOCIALACCOUNT_ADAPTER`."""

    def get_requests_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies, no .netrc
        session.max_redirects = 0
        session.mount("https://", _Outbound())
        session.mount("http://", _Outbound())
        return session


def pkce() -> tuple[str, dict[str, str]]:
    """A code verifier, and what of it the authorization request carries (RFC 7636 4.1, 4.3)."""
    made = generate_code_challenge()
    return made["code_verifier"], {"code_challenge": made["code_challenge"].decode(), "code_challenge_method": "S256"}


def authorization_url(request: HttpRequest, upstream: Upstream, metadata: Metadata, *, state: str, extra: Mapping[str, str]) -> str:
    """Where the browser goes. All of it is ours: nothing of a request's query gets in."""
    endpoint, _, query = metadata.authorization_endpoint.partition("?")
    client = _client(request, upstream, metadata, secret="")
    client.state = state
    return str(client.get_redirect_url(endpoint, SCOPE, {**dict(parse_qsl(query)), "scope": " ".join(SCOPE), **extra}))


def redeem(request: HttpRequest, upstream: Upstream, metadata: Metadata, *, code: str, verifier: str) -> dict[str, Any]:
    """The token answer for a code (OpenID Connect Core 3.1.3). Raises Unreachable."""
    try:
        found = _client(request, upstream, metadata, secret=upstream.secret).get_access_token(code, pkce_code_verifier=verifier)
    except OAuth2Error:
        raise Unreachable("the code was refused") from None
    except (requests.RequestException, KeyError, ValueError, RecursionError) as error:
        raise Unreachable(f"token answer: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise Unreachable("token answer: not an object")
    return found


def _client(request: HttpRequest, upstream: Upstream, metadata: Metadata, *, secret: str) -> OAuth2Client:
    method = upstream.options.auth_method
    secret = "" if method == "none" else secret
    in_header = bool(secret) and metadata.secret_in_header(method)
    return OAuth2Client(
        request,
        # RFC 6749 2.3.1: form-encoded before they go into the header.
        quote(upstream.client_id, safe="") if in_header else upstream.client_id,
        quote(secret, safe="") if in_header else secret,
        "POST",
        metadata.token_endpoint,
        upstream.callback,
        basic_auth=in_header,
        headers={"accept": "application/json"},
    )


# Links: `provider` holds the issuer, so that a link is iss and sub, whatever the upstream is called here (OpenID Connect Core 5.7).


class Taken(Exception):
    """The account at the upstream belongs to another person here."""


@dataclass(frozen=True, slots=True)
class Link:
    """An account at an upstream that signs a person in here. `shown` is what the person knows it by; `address` and `told`
    are what it last said.
    """

    id: int
    issuer: str
    subject: str
    user: User
    shown: str
    address: str
    told: Mapping[str, Any]
    since: Any
    last_used: Any


def link_of(issuer: str, subject: str) -> Link | None:
    """The link of this identity, if somebody here has it."""
    row = SocialAccount.objects.select_related("user").filter(provider=issuer, uid=_uid(subject)).first()
    return None if row is None else _link(row)


def links_of(user: User) -> list[Link]:
    """All that sign this person in, oldest first."""
    return [_link(row) for row in SocialAccount.objects.select_related("user").filter(user=user).order_by("pk")]


def count(issuer: str) -> int:
    """How many people are linked to this issuer."""
    return int(SocialAccount.objects.filter(provider=issuer).count())


def create(user: User, identity: Identity) -> Link:
    """Link it. Of two people at the same moment one gets it (hostile case GL-08): raises Taken."""
    row = SocialAccount(user=user, provider=identity.issuer, uid=_uid(identity.subject), extra_data=_told(identity))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        found = link_of(identity.issuer, identity.subject)
        if found is None or found.user.pk != user.pk:
            raise Taken from None
        return found
    return _link(row)


def used(link: Link, identity: Identity) -> None:
    """It signed the person in now; what it said this time is kept, no token (hostile case GL-14)."""
    row = SocialAccount.objects.get(pk=link.id)
    row.extra_data = _told(identity)
    row.save(update_fields=["extra_data", "last_login"])


def delete(user: User, link_id: int) -> bool:
    """End one link of this person; false = there is none."""
    return bool(SocialAccount.objects.filter(pk=link_id, user=user).delete()[0])


def delete_of(user: User, *, since: datetime | None = None) -> int:
    """End all links of a person, or those made `since` then; returns how many."""
    links = SocialAccount.objects.filter(user=user)
    return int((links if since is None else links.filter(date_joined__gte=since)).delete()[0])


def delete_all(issuer: str) -> int:
    """End everybody's links to an issuer; returns how many."""
    return int(SocialAccount.objects.filter(provider=issuer).delete()[0])


def _uid(subject: str) -> str:
    # OpenID Connect Core 2 allows 255 characters, allauth's column 191.
    return subject if len(subject) <= MOST_UID else "sha256:" + hashlib.sha256(subject.encode()).hexdigest()


def _told(identity: Identity) -> dict[str, Any]:
    return {"email": identity.email, "profile": dict(identity.profile)}


def _link(row: SocialAccount) -> Link:
    data = row.extra_data if isinstance(row.extra_data, dict) else {}
    profile = data.get("profile")
    told = profile if isinstance(profile, dict) else {}
    address = str(data.get("email") or "")
    shown = address or str(told.get("name") or row.uid)
    return Link(row.pk, row.provider, row.uid, row.user, shown, address, told, row.date_joined, row.last_login)
